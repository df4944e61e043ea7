"""Which replaced keys can be dropped: their time is over, and no stored value needs them.

Asks the database itself, because the job that encrypts anew may have failed, or ended before a process that still
encrypted with the old key. It must not change anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from local.runner import rotation
from local.runner.keys import BARE_KID

# Lists of these names encrypt what the service's schema stores; the keys of others protect messages alone.
_STORED = "encryption."


@dataclass(frozen=True)
class Retirement:
    """`past`: name of a list -> the ids to drop. `kept`: a sentence for each key that has to stay."""

    past: dict[str, list[str]]
    kept: list[str]


async def retirement(values: rotation.Values, names: Iterable[str], now: datetime, admin_url: str | None) -> Retirement:
    """`admin_url` is the administrator's of the database; without one no encryption key can be dropped."""
    past, kept = rotation.droppable(values, names, now), list[str]()
    for name in [name for name in past if name.startswith(_STORED)]:
        if admin_url is None:
            kept.append(f"{name}: old keys are dropped only while the suite runs, because its database must be asked")
            del past[name]
            continue
        # Imported here: the runner must not pay for asyncpg.
        from libs.postgres.sealed import kids_in_use

        used = await kids_in_use(admin_url, name.removeprefix(_STORED), [kid or BARE_KID for kid in past[name]])
        kept += [f"{name}: {kid} stays, because {column} still needs it" for kid, column in used.items()]
        past[name] = [kid for kid in past[name] if (kid or BARE_KID) not in used]
    return Retirement({name: kids for name, kids in past.items() if kids}, kept)

"""How a key is replaced without an interruption: a new one is published, then it makes, then the old one is dropped.

Pure: from the values of an installation to the next ones. Lists are as settings write them (libs.keys); the order and
the dated ids are all that is kept of a rotation, so one that broke off goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from libs.keys import PUBLISHED, made_at, new_key, new_kid, states

# How long a replaced key still checks, by what it is for, counted from when its successor was made: as long as what it
# made may live, with twice the three minutes in which a cluster takes a changed file.
KEPT = {
    # A principal lives for 60 s.
    "principal": timedelta(minutes=15),
    # A connection token lives for 5 minutes.
    "realtime": timedelta(minutes=20),
    # An invitation lives for days. Beyond that a known device is a stranger again, which only counts its tries apart.
    "cursor": timedelta(days=30),
    # Links that end mails are encrypted, and must work for 30 days after a mail. Stored values are encrypted anew.
    "encryption": timedelta(days=35),
}
Values = Mapping[str, str]


class UnknownKey(ValueError):
    """No key of that name rotates."""


def rotating(values: Values) -> list[str]:
    """The names of all keys that rotate."""
    return sorted(name for name in values if name.partition(".")[0] in KEPT)


def chosen(values: Values, words: Iterable[str]) -> list[str]:
    """The names that these words mean: all for no word; `principal` all of that use; `cursor.agent` that one."""
    known, wanted = rotating(values), list(words)
    unknown = [word for word in wanted if not any(_means(word, name) for name in known)]
    if unknown:
        raise UnknownKey(f'"{unknown[0]}" is none of {", ".join((*KEPT, *known))}')
    return [name for name in known if not wanted or any(_means(word, name) for word in wanted)]


def published(values: Values, names: Iterable[str], now: datetime) -> dict[str, str]:
    """With a new key in each list, behind the one that makes. One that was published before and never made is replaced:
    its date would not tell when its predecessor was."""
    return {**values, **{name: ",".join(_with_new(values[name].split(","), now)) for name in names}}


def activated(values: Values, names: Iterable[str]) -> dict[str, str]:
    """With the published key of each list first."""
    return {**values, **{name: ",".join(_with_new_first(values[name].split(","))) for name in names}}


def droppable(values: Values, names: Iterable[str], now: datetime) -> dict[str, list[str]]:
    """The ids of the keys of each list whose time is over: since the one before it in the list came, as long passed as
    what they made may live."""
    found = {}
    for name in names:
        kids = kids_of(values[name])
        kept = KEPT[name.partition(".")[0]]
        came = dict(zip(kids[1:], map(made_at, kids), strict=False))
        past = [kid for kid, at in came.items() if at is not None and now - at >= kept and not _is_new(kids, kid)]
        if past:
            found[name] = past
    return found


def dropped(values: Values, kids: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Without these keys; the one that makes always stays."""
    changed = dict(values)
    for name, past in kids.items():
        first, *others = values[name].split(",")
        changed[name] = ",".join((first, *(entry for entry in others if kid_of(entry) not in set(past))))
    return changed


def kids_of(value: str) -> list[str]:
    return [kid_of(entry) for entry in value.split(",")]


def kid_of(entry: str) -> str:
    """Empty for the key that an installation had before keys had ids."""
    name, _, tail = entry.partition("=")
    return name if tail.strip("=") else ""


def _means(word: str, name: str) -> bool:
    return word in (name, name.partition(".")[0])


def _is_new(kids: list[str], kid: str) -> bool:
    return states(kids)[kids.index(kid)] == PUBLISHED


def _with_new(entries: list[str], now: datetime) -> list[str]:
    entries = [entry for entry in entries if not _is_new([kid_of(each) for each in entries], kid_of(entry))]
    kids = [kid_of(entry) for entry in entries]
    # Ids are dated to the second.
    while new_kid(now) in kids:
        now += timedelta(seconds=1)
    return [*entries, f"{new_kid(now)}={new_key()}"]


def _with_new_first(entries: list[str]) -> list[str]:
    new = [entry for entry in entries if _is_new([kid_of(each) for each in entries], kid_of(entry))]
    return [*new, *(entry for entry in entries if entry not in new)]

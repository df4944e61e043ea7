"""What was changed: rows written in the transaction of the change, and told to the caches after its commit.

The writer tells the caches at once, as well as it can. The relay's leader applies every committed row once more
(libs.cache.relay), so a writer that dies after its commit leaves nothing stale for longer than the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.cache.classes import CACHED_ENTITIES, SILENT_TOPICS
from libs.cache.spec import entity_of, replaced_by
from libs.cache.store import service_tag
from libs.ids import new_id
from libs.postgres.connection import Connection, invalidate_after_commit

# A row of this topic replaces everything of the service: it stands for rows that became too many.
EVERYTHING = "*"
# Rows of changes that may wait for Redis. Beyond it they become one row that replaces everything of the service.
MOST_WAITING = 50_000

_RECORD = """
insert into cache_invalidation (event_id, org_id, topic, key)
select c.event_id, c.org_id, $2, c.key
from unnest($1::text[], $3::text[], $4::text[]) with ordinality as c(event_id, org_id, key, n) order by c.n"""
_READ = "select id, event_id, org_id, topic, key from cache_invalidation order by id limit $1"
_DELETE = "delete from cache_invalidation where id = any($1::bigint[])"
_COMPACT = """
with counted as (select count(*) as rows from (select 1 from cache_invalidation limit $1 + 1) c),
gone as (delete from cache_invalidation where (select rows from counted) > $1 returning 1),
emptied as (select 1 from gone limit 1)
insert into cache_invalidation (event_id, org_id, topic, key) select $2, '', '*', '' from emptied"""


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change; `event_id` makes a second application a no-op."""

    event_id: str
    org_id: str
    topic: str
    key: str

    def tags(self, service: str) -> tuple[str, ...]:
        """What it replaces; `service` made it."""
        return (service_tag(service),) if self.topic == EVERYTHING else replaced_by(self.topic, self.org_id, self.key)


async def record(conn: Connection, topic: str, org_id: str, key: str) -> None:
    """Note a change that no event tells; `topic` is one of SILENT_TOPICS. Events note theirs by themselves."""
    await record_many(conn, topic, [(org_id, key)])


async def record_many(conn: Connection, topic: str, things: Sequence[tuple[str, str]]) -> None:
    """The same for several things, each with its organization, in one statement."""
    if topic not in SILENT_TOPICS:
        raise ValueError(f"{topic} is not in libs/cache/classes.py")
    changes = [Change(new_id("chg"), org_id, topic, key) for org_id, key in things]
    if changes:
        columns = zip(*((change.event_id, change.org_id, change.key) for change in changes), strict=True)
        event_ids, org_ids, keys = (list(column) for column in columns)
        await conn.execute(_RECORD, event_ids, topic, org_ids, keys)
        invalidate_after_commit(conn, changes)


def concerned(changes: Sequence[Change]) -> list[Change]:
    """Those that replace cached values."""
    return [change for change in changes if entity_of(change.topic) in CACHED_ENTITIES]


async def read(conn: Connection, limit: int) -> list[tuple[int, Change]]:
    """The oldest committed changes that were not applied, with the ids of their rows."""
    rows = await conn.fetch(_READ, limit)
    return [(row["id"], Change(row["event_id"], row["org_id"], row["topic"], row["key"])) for row in rows]


async def delete(conn: Connection, ids: Sequence[int]) -> None:
    """Forget applied changes."""
    await conn.execute(_DELETE, list(ids))


async def compact(conn: Connection, most: int = MOST_WAITING) -> None:
    """Put one row that replaces everything in the place of more than `most` waiting ones."""
    await conn.execute(_COMPACT, most, new_id("chg"))

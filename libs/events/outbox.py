"""The outbox: events are rows of the transaction that made them true; the relay publishes them later, in order.

Append while holding the row lock of the aggregate (the UPDATE or INSERT of it comes first), so that the order of ids is
the order of commits for each key. It must not know NATS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.bus.subjects import event_subject, outbox_wakeup
from libs.cache.changes import Change, concerned
from libs.events.envelope import Event
from libs.postgres.connection import Connection, announce_after_commit, invalidate_after_commit

_INSERT = """
with e as (
    select n.event_id, n.org_id, n.topic, n.key, n.payload, n.service, n.position
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        with ordinality as n(event_id, org_id, topic, key, payload, service, position)
), invalidated as (
    insert into cache_invalidation (event_id, org_id, topic, key)
    select e.event_id, e.org_id, e.topic, e.key from e where e.event_id = any($7::text[]) order by e.position
)
insert into outbox (event_id, org_id, topic, key, payload, headers)
select e.event_id, e.org_id, e.topic, e.key, e.payload::json, jsonb_build_object('service', e.service)
from e order by e.position"""

_UNPUBLISHED = """
select id, event_id, org_id, topic, key, payload::text as payload, headers ->> 'service' as service,
    extract(epoch from clock_timestamp() - created_at)::float8 as age_seconds
from outbox where published_at is null{} order by id limit $1"""
_OLDEST = _UNPUBLISHED.format("")
# The read sees the rows as they were before the mark, so it leaves them out itself.
_MARK_AND_READ = f"""
with marked as (
    update outbox o set published_at = clock_timestamp(), stream_epoch = $2, stream_seq = d.seq
    from unnest($3::bigint[], $4::bigint[]) as d(id, seq) where o.id = d.id
){_UNPUBLISHED.format(" and id <> all($3::bigint[])")}"""

_NEWEST = """
select event_id, stream_seq from outbox
where published_at is not null and stream_epoch = $1 order by stream_seq desc offset $2 limit 1"""

_EPOCHS = "select min(stream_epoch), max(stream_epoch) from outbox where published_at is not null"

_REOPEN = """
update outbox set published_at = null, stream_epoch = null, stream_seq = null
where id in (select id from outbox where published_at is not null and {} limit 5000)"""


async def append(conn: Connection, event: Event) -> None:
    """Write the event in the caller's transaction; the relay is woken after the commit."""
    await append_many(conn, [event])


async def append_many(conn: Connection, events: Sequence[Event]) -> None:
    """Write events in their order, in one statement."""
    if not events:
        return
    columns = zip(*((e.id, e.org_id, e.topic, e.key, e.payload(), e.owner) for e in events), strict=True)
    changes = concerned([Change(e.id, e.org_id, e.topic, e.key) for e in events])
    await conn.execute(_INSERT, *(list(column) for column in columns), [change.event_id for change in changes])
    invalidate_after_commit(conn, changes)
    for owner in {event.owner for event in events}:
        announce_after_commit(conn, outbox_wakeup(owner))


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row to publish."""

    id: int
    event_id: str
    org_id: str
    key: str
    subject: str
    payload: str
    age_seconds: float


async def read_unpublished(
    conn: Connection, limit: int, epoch: datetime | None, published: dict[int, int]
) -> list[OutboxRow]:
    """The oldest rows that no stream has, once those of `published` are marked: which stream took them (`epoch` is its
    creation) and at which sequence."""
    if published:
        rows = await conn.fetch(_MARK_AND_READ, limit, epoch, list(published), list(published.values()))
    else:
        rows = await conn.fetch(_OLDEST, limit)
    return [
        OutboxRow(
            id=row["id"],
            event_id=row["event_id"],
            org_id=row["org_id"],
            key=row["key"],
            subject=event_subject(row["org_id"], row["service"], row["topic"]),
            payload=row["payload"],
            age_seconds=row["age_seconds"],
        )
        for row in rows
    ]


async def newest_published(conn: Connection, epoch: datetime, skip: int) -> tuple[str, int] | None:
    """Event id and sequence of the newest row that the stream took, after skipping `skip`; None past the oldest."""
    row = await conn.fetchrow(_NEWEST, epoch, skip)
    return (row["event_id"], row["stream_seq"]) if row else None


async def reopen_other_epochs(conn: Connection, epoch: datetime) -> int:
    """Publish again what streams took that no longer exist; the number of rows."""
    known = await conn.fetchrow(_EPOCHS)
    if known is None or {known[0], known[1]} <= {None, epoch}:
        return 0
    return await _reopen(conn, "stream_epoch <> $1", epoch)


async def reopen_after(conn: Connection, epoch: datetime, sequence: int) -> int:
    """Publish again what the stream took after a sequence; the number of rows."""
    return await _reopen(conn, "stream_epoch = $1 and stream_seq > $2", epoch, sequence)


async def _reopen(conn: Connection, condition: str, *args: object) -> int:
    total = 0
    while count := await conn.change(_REOPEN.format(condition), *args, timeout=30):
        total += count
    return total

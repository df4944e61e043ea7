"""The inbox: what a consumer has handled, written in the transaction of the effect, so that an event counts once.

It also holds the events that are retried and the dead ones. Rows outlive the stream's retention
(libs.postgres.retention).
"""

from collections.abc import Sequence

from libs.postgres.connection import Connection

_CLAIM = """
with settled as (delete from inbox_retry where consumer = $1 and event_id = $2),
    revived as (delete from inbox_dead where consumer = $1 and event_id = $2)
insert into inbox (consumer, event_id, stream_seq) values ($1, $2, $3) on conflict do nothing returning true"""

# By arrays and not by joins, which may read all rows of the consumer.
_CLAIM_MANY = """
with settled as (delete from inbox_retry where consumer = $1 and event_id = any($2::text[])),
    revived as (delete from inbox_dead where consumer = $1 and event_id = any($2::text[]))
insert into inbox (consumer, event_id, stream_seq)
select $1, e.event_id, e.stream_seq from unnest($2::text[], $3::bigint[]) as e(event_id, stream_seq)
on conflict do nothing returning event_id"""

_NOTE = """
insert into inbox_retry (consumer, event_id, tries, last_error) values ($1, $2, 1, $3)
on conflict (consumer, event_id) do update
set tries = inbox_retry.tries + 1, last_error = excluded.last_error, updated_at = clock_timestamp()
returning tries"""

_DEAD_LETTER = """
with tried as (delete from inbox_retry where consumer = $1 and event_id = $2 returning tries)
insert into inbox_dead (consumer, event_id, org_id, topic, payload, tries, last_error, error_code)
values ($1, $2, $3, $4, $5::json, coalesce((select tries from tried), 1), $6, $7)
on conflict (consumer, event_id) do update set tries = excluded.tries, last_error = excluded.last_error,
    error_code = excluded.error_code"""

_COUNT_DEAD = """
select count(*) from (select 1 from inbox_dead where consumer = $1 limit 100000) d"""

# Events of different keys can overtake one another, by at most the number that a consumer holds at a time.
_REPLAYED = """
select event_id, payload::text as payload from inbox_dead where consumer = $1 and replay order by died_at limit 16"""

_KEEP_DEAD = """
update inbox_dead set replay = false, tries = tries + 1, last_error = $3, error_code = $4
where consumer = $1 and event_id = $2"""

_LAST = """
select event_id, stream_seq from
    (select event_id, stream_seq from inbox where consumer = $1 order by handled_at desc limit 256) i
where stream_seq is not null order by stream_seq desc limit 1"""


async def claim(conn: Connection, consumer: str, event_id: str, stream_seq: int | None = None) -> bool:
    """Whether this transaction may handle the event; False when it was handled before."""
    return await conn.fetchval(_CLAIM, consumer, event_id, stream_seq) is True


async def claim_many(conn: Connection, consumer: str, events: Sequence[tuple[str, int]]) -> set[str]:
    """Of these events (id, stream sequence), those that this transaction may handle, by their ids."""
    ids, sequences = [event_id for event_id, _ in events], [sequence for _, sequence in events]
    return {row["event_id"] for row in await conn.fetch(_CLAIM_MANY, consumer, ids, sequences)}


async def note_failure(conn: Connection, consumer: str, event_id: str, error: str) -> int:
    """Count a try that failed (or is about to begin in doubt); the number of tries so far."""
    return int(await conn.fetchval(_NOTE, consumer, event_id, error[:2000]))


async def forget_failures(conn: Connection, consumer: str, event_id: str) -> None:
    """Count the tries of this event from none."""
    await conn.execute("delete from inbox_retry where consumer = $1 and event_id = $2", consumer, event_id)


async def dead_letter(
    conn: Connection, consumer: str, event_id: str, org_id: str, topic: str, payload: str, error: str, code: str
) -> None:
    """Move an event to the dead-letter table."""
    await conn.execute(_DEAD_LETTER, consumer, event_id, org_id, topic, payload, error[:2000], code)


async def count_dead(conn: Connection, consumer: str) -> int:
    """How many dead letters the consumer has, counted to 100,000."""
    return int(await conn.fetchval(_COUNT_DEAD, consumer))


async def last_position(conn: Connection, consumer: str) -> tuple[str, int] | None:
    """Event id and stream sequence of the furthest event among those handled last."""
    row = await conn.fetchrow(_LAST, consumer)
    return (row["event_id"], row["stream_seq"]) if row else None


async def requested_replays(conn: Connection, consumer: str) -> list[tuple[str, str]]:
    """Event id and payload of the dead letters that are marked for redrive, oldest first."""
    return [(row["event_id"], row["payload"]) for row in await conn.fetch(_REPLAYED, consumer)]


async def revive(conn: Connection, consumer: str, event_id: str) -> None:
    """Delete a dead letter, in the transaction that handles its event."""
    await conn.execute("delete from inbox_dead where consumer = $1 and event_id = $2", consumer, event_id)


async def keep_dead(conn: Connection, consumer: str, event_id: str, error: str, code: str) -> None:
    """Record a failed redrive: the dead letter stays, with the new error."""
    await conn.execute(_KEEP_DEAD, consumer, event_id, error[:2000], code)

"""How long engine rows are kept, and the sweep that deletes them. The relay's leader of each schema runs it.

An inbox must outlive every copy of an event that the stream or the outbox may still deliver.
"""

import asyncio
import logging
from datetime import timedelta

from libs.errors import AppError
from libs.postgres.connection import Connection
from libs.postgres.leader import Lease

# How long published events stay, so that a lost stream can be filled again: the retention of the stream.
OUTBOX_KEPT = timedelta(days=7)
# Longer than the outbox, so that no delivery outlives the row that recognizes it.
INBOX_KEPT = timedelta(days=8)
# How long a dead event can be inspected and redriven.
DEAD_KEPT = timedelta(days=30)
# Seconds between sweeps. Longer: larger sweeps.
SWEEP_SECONDS = 600.0
# Rows per DELETE. Larger: longer locks. Smaller: more statements.
BATCH = 1000

logger = logging.getLogger(__name__)

# Each statement reads at most the rows that it may delete, oldest first, so that an empty sweep costs little.
_SWEEPS = {
    "outbox": (
        "delete from outbox where id in (select id from (select id, published_at from outbox order by id limit $2) o "
        "where published_at < clock_timestamp() - $1::interval)",
        OUTBOX_KEPT,
    ),
    "inbox": (
        "with recursive consumers as ((select consumer from inbox order by consumer limit 1) union all "
        "select (select n.consumer from inbox n where n.consumer > c.consumer order by n.consumer limit 1) "
        "from consumers c where c.consumer is not null) "
        "delete from inbox where (consumer, event_id) in (select i.consumer, i.event_id from consumers c "
        "cross join lateral (select n.consumer, n.event_id from inbox n where n.consumer = c.consumer "
        "and n.handled_at < clock_timestamp() - $1::interval order by n.handled_at limit $2) i)",
        INBOX_KEPT,
    ),
    "inbox_retry": (
        "delete from inbox_retry where (consumer, event_id) in (select consumer, event_id from inbox_retry "
        "where updated_at < clock_timestamp() - $1::interval limit $2)",
        INBOX_KEPT,
    ),
    "inbox_dead": (
        "delete from inbox_dead where (consumer, event_id) in (select consumer, event_id from inbox_dead "
        "where died_at < clock_timestamp() - $1::interval limit $2)",
        DEAD_KEPT,
    ),
    "idempotency": (
        "delete from idempotency where (org_id, key) in (select org_id, key from idempotency "
        "where expires_at < clock_timestamp() - $1::interval order by expires_at limit $2)",
        timedelta(0),
    ),
    "quota_use": (
        "delete from quota_use where (org_id, name, day, shard) in (select org_id, name, day, shard from quota_use "
        "where day < (clock_timestamp() at time zone 'utc' - $1::interval)::date limit $2)",
        timedelta(days=1),
    ),
}


async def sweep(conn: Connection, table: str) -> int:
    """Delete what is past its time, at most one batch; the number of rows."""
    sql, kept = _SWEEPS[table]
    return await conn.change(sql, kept, BATCH, timeout=30)


async def sweep_regularly(lease: Lease) -> None:
    """Sweep all tables, batch by batch, every ten minutes, until cancelled."""
    while True:
        try:
            for table in _SWEEPS:
                deleted = BATCH
                while deleted >= BATCH:
                    async with lease.connection() as conn:
                        deleted = await sweep(conn, table)
        except AppError as error:
            logger.warning("a retention sweep is put off: %s", error.reason)
        await asyncio.sleep(SWEEP_SECONDS)

"""Envelopes as they came. Each thing delivered has one row; a fuller delivery of it replaces the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.ids import new_id
from libs.postgres import Connection
from providers.interface.envelopes import Envelope

# Simultaneous deliveries of one conversation wait for each other here; all but the first find its row. An unprocessed
# one that the reconciler finds is processed again, because its job may have failed for good.
_KEEP = """
insert into envelope as e (org_id, id, provider, event_type, key, completeness, body, source, received_at,
    processed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (org_id, provider, key, event_type) do update
set completeness = excluded.completeness, body = excluded.body, received_at = excluded.received_at,
    processed_at = excluded.processed_at
where excluded.completeness > e.completeness
    or (excluded.completeness = e.completeness and excluded.source = 'reconcile' and e.processed_at is null)
returning e.id"""
_GET = """
select e.id, e.provider, e.body, e.received_at
from envelope e where e.org_id = $1 and e.id = $2"""
_DONE = "update envelope set processed_at = $3 where org_id = $1 and id = $2 and received_at = $4"
# The recording is in object storage by then, so the row need not keep its megabytes.
_DONE_WITHOUT_BODY = "update envelope set processed_at = $3, body = ''::bytea where org_id = $1 and id = $2"

_SWEEP = """
delete from envelope d where (d.org_id, d.id) in (
    select e.org_id, e.id from envelope e where e.received_at < $1 order by e.received_at limit $2
)"""
# Envelopes that are deleted at a time. More: a statement with megabytes of bodies takes longer than its 5 s.
SWEEP_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """`id` is empty when the delivery told nothing new."""

    id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    id: str
    provider: str
    body: bytes
    received_at: datetime


class Envelopes:
    async def keep(
        self, conn: Connection, org_id: str, envelope: Envelope, body: bytes, source: str, now: datetime,
        processed_at: datetime | None = None,
    ) -> Kept:  # fmt: skip
        """Write the envelope unless an equal or fuller one of the same thing is there. `processed_at` is given where
        this transaction makes its call."""
        mine = new_id("env")
        stored = await conn.fetchval(
            _KEEP, org_id, mine, envelope.provider, envelope.event_type, envelope.key, envelope.completeness, body,
            source, now, processed_at,
        )  # fmt: skip
        return Kept(id=stored or "", duplicate=stored != mine)

    async def keep_processed(self, conn: Connection, org_id: str, envelope: Envelope, now: datetime) -> bool:
        """Write the envelope of something that is stored already, without its bytes; whether it was there before."""
        return (await self.keep(conn, org_id, envelope, b"", "webhook", now, now)).duplicate

    async def get(self, conn: Connection, org_id: str, envelope_id: str) -> StoredEnvelope | None:
        row = await conn.fetchrow(_GET, org_id, envelope_id)
        return StoredEnvelope(row["id"], row["provider"], row["body"], row["received_at"]) if row else None

    async def mark_processed(
        self, conn: Connection, org_id: str, envelope_id: str, now: datetime, received_at: datetime
    ) -> None:
        """Only the delivery of that time: a fuller one that arrived meanwhile stays unprocessed."""
        await conn.execute(_DONE, org_id, envelope_id, now, received_at)

    async def drop_body(self, conn: Connection, org_id: str, envelope_id: str, now: datetime) -> None:
        await conn.execute(_DONE_WITHOUT_BODY, org_id, envelope_id, now)

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete a batch of what arrived before this, of every organization; how many."""
        return await conn.change(_SWEEP, before, SWEEP_BATCH)

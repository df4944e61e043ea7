"""Envelopes as they came. Each thing delivered has one row; a fuller delivery of it replaces the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.ids import new_id
from libs.postgres import Connection
from providers.interface.envelopes import Envelope

# Simultaneous deliveries of one conversation wait for each other here; all but the first find its row. Written in one
# order, so that two transactions with the same conversations wait instead of deadlocking. An unprocessed one that the
# reconciler finds is processed again, because its job may have failed for good.
_KEEP = """
insert into envelope as e (org_id, id, provider, event_type, key, completeness, body, source, received_at,
    processed_at)
select $1, g.id, g.provider, g.event_type, g.key, g.completeness, g.body, $8, $9, $10
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bytea[])
    as g(id, provider, event_type, key, completeness, body)
order by g.provider, g.key, g.event_type
on conflict (org_id, provider, key, event_type) do update
set completeness = excluded.completeness, body = excluded.body, received_at = excluded.received_at,
    processed_at = excluded.processed_at
where excluded.completeness > e.completeness
    or (excluded.completeness = e.completeness and excluded.source = 'reconcile' and e.processed_at is null)
returning e.id, e.provider, e.key, e.event_type"""
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
        return (await self.keep_together(conn, org_id, [(envelope, body)], source, now, processed_at))[0]

    async def keep_together(
        self, conn: Connection, org_id: str, delivered: Sequence[tuple[Envelope, bytes]], source: str, now: datetime,
        processed_at: datetime | None = None,
    ) -> list[Kept]:  # fmt: skip
        """What `keep` does for each, in one statement; no two are of one thing."""
        rows = [
            (new_id("env"), envelope.provider, envelope.event_type, envelope.key, envelope.completeness, body)
            for envelope, body in delivered
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        stored = {
            (row["provider"], row["event_type"], row["key"]): row["id"]
            for row in await conn.fetch(_KEEP, org_id, *columns, source, now, processed_at)
        }
        ids = [(mine, stored.get((provider, kind, key))) for mine, provider, kind, key, *_ in rows]
        return [Kept(id=found or "", duplicate=found != mine) for mine, found in ids]

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

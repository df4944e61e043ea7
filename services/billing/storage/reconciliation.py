"""The reads of reconciliation: usage made by calls, ratings beside the ledger, and states that the ledger must not
have.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from libs.postgres import Database
from services.billing.domain.reconciliation import Difference, MeteredCall, RatedUsage

# Rows that a cursor fetches at a time.
_BATCH = 1_000
_METERED = """
select u.call_id, u.id, u.quantity_micros from usage_event u
where u.org_id = o.org and u.call_id <> '' and u.call_id > $2 and ($3 = '' or u.call_id <= $3)
    and u.event_time >= $4 and u.event_time < $5
order by u.call_id"""
# Looked up event by event: with a join, a planner without statistics reads the whole ledger of the organization for
# each event.
_RATED = """
select u.event_time, u.id, u.call_id, r.amount_micros as rated, e.id as entry_id, e.amount_micros as posted
from (
    select v.org_id, v.id, v.call_id, v.event_time from usage_event v
    where v.org_id = o.org and v.event_time >= $2 and v.event_time < $3 and (v.event_time, v.id) > ($4, $5)
    order by v.event_time, v.id limit $6
) u
left join lateral (
    select x.amount_micros from usage_rating x where x.org_id = u.org_id and x.usage_event_id = u.id limit 1
) r on true
left join lateral (
    select y.id, y.amount_micros from ledger_entry y
    where y.org_id = u.org_id and y.usage_event_id = u.id and y.account = 'customer' limit 1
) e on true
order by u.event_time, u.id"""
# Foreign keys forbid most of these; the check is here for what a restore or a hand might leave.
_ORPHANS = """
select e.id, e.usage_event_id, e.call_id from ledger_entry e
where e.org_id = o.org and e.account = 'customer' and e.type = 'usage' and e.created_at >= $2 and e.created_at < $3
    and not exists (select 1 from usage_event u where u.org_id = e.org_id and u.id = e.usage_event_id)
limit $4"""
_UNBALANCED = """
select e.transaction_id, min(e.id) as entry_id, sum(e.amount_micros)::bigint as rest from ledger_entry e
where e.org_id = o.org and e.created_at >= $2 and e.created_at < $3
group by e.transaction_id having sum(e.amount_micros) <> 0 limit $4"""
_DRIFT = """
select a.posted_micros - coalesce(sum(e.amount_micros), 0)::bigint as drift from account a
left join ledger_entry e on e.org_id = a.org_id and e.account = 'customer'
where a.org_id = o.org
group by a.posted_micros"""


class Reconciliations:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def metered(
        self, org_id: str, start: datetime, end: datetime, after_call: str, up_to_call: str
    ) -> list[MeteredCall]:
        """Usage made by calls whose ids lie after the one and up to the other (empty: no bound)."""
        rows = await self._db.fetch(org_id, _METERED, after_call, up_to_call, start, end)
        return [MeteredCall(row["call_id"], row["id"], row["quantity_micros"]) for row in rows]

    async def rated(self, org_id: str, start: datetime, end: datetime) -> AsyncIterator[list[RatedUsage]]:
        """Every usage event of the window beside its rating and its entry, in batches."""
        position: tuple[datetime, str] = (start, "")
        while True:
            rows = await self._db.fetch(org_id, _RATED, start, end, *position, _BATCH)
            if not rows:
                return
            yield [RatedUsage(row["id"], row["call_id"], row["rated"], row["entry_id"], row["posted"]) for row in rows]
            position = (rows[-1]["event_time"], rows[-1]["id"])

    async def ledger_faults(self, org_id: str, start: datetime, end: datetime, limit: int) -> list[Difference]:
        """States that the schema forbids, checked nevertheless."""
        orphans = await self._db.fetch(org_id, _ORPHANS, start, end, limit)
        unbalanced = await self._db.fetch(org_id, _UNBALANCED, start, end, limit)
        drift = await self._db.fetchval(org_id, _DRIFT)
        found = [
            Difference("ledger_without_usage", "The charge names no usage.", row["call_id"], row["usage_event_id"],
                       row["id"])
            for row in orphans
        ]  # fmt: skip
        found += [
            Difference("unbalanced_transaction", "The legs do not sum to zero.", ledger_entry_id=row["entry_id"])
            for row in unbalanced
        ]
        if drift:
            found.append(Difference("amount_mismatch", "The balance is not the sum of its entries."))
        return found

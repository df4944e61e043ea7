"""Accounts: an organization's balance and plan. The row's lock serializes the postings of one organization. It is taken
before any ledger row is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.postgres import Connection, Database, Record
from services.billing.domain.credit import Balance
from services.billing.domain.rating import Rate

_OPEN = """
insert into account (org_id, plan_id, currency, posted_micros, reserved_micros, created_at, updated_at)
select $1, p.id, p.currency, 0, 0, $3, $3 from plan p where p.id = $2
on conflict (org_id) do nothing
returning true"""
# A transaction has set its organization before, so row level security applies without the fence of single reads.
_LOCK = """
select a.plan_id, a.currency, a.posted_micros, a.reserved_micros from account a where a.org_id = $1 for update"""
_GET = "select a.currency, a.posted_micros, a.reserved_micros from account a where a.org_id = o.org"
_FIRST = "select a.org_id from account a order by a.created_at, a.org_id limit 1"
# A plan has a few rates a meter, so all are read and the rule chooses (domain.rating).
_LOCK_WITH_RATES = """
select a.plan_id, a.currency, a.posted_micros, a.reserved_micros,
    array(
        select row(r.meter, r.price_micros, r.per, r.increment_micros, r.effective_from, false)
        from plan_rate r where r.plan_id = a.plan_id
        union all
        select row(r.meter, r.price_micros, r.per, r.increment_micros, r.effective_from, true)
        from rate_override r where r.org_id = a.org_id
    ) as rates
from account a where a.org_id = $1 for update"""


@dataclass(frozen=True, slots=True)
class Account:
    """A locked account."""

    org_id: str
    plan_id: str
    balance: Balance


class Accounts:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self, conn: Connection, org_id: str, plan_id: str, now: datetime) -> bool:
        """Make the account; False when it is there already."""
        return await conn.fetchval(_OPEN, org_id, plan_id, now) is True

    async def lock(self, conn: Connection, org_id: str) -> Account | None:
        """The account, held until the transaction ends."""
        row = await conn.fetchrow(_LOCK, org_id)
        return Account(org_id, row["plan_id"], _balance(row)) if row else None

    async def balance(self, org_id: str) -> Balance | None:
        row = await self._db.fetchrow(org_id, _GET)
        return _balance(row) if row else None

    async def first(self) -> str | None:
        """The organization that was billed first."""
        org_id: str | None = await self._db.system_fetchval(_FIRST)
        return org_id

    async def lock_with_rates(self, conn: Connection, org_id: str) -> tuple[Account, list[Rate]] | None:
        """The same with the plan's rates and the organization's own, of all times."""
        row = await conn.fetchrow(_LOCK_WITH_RATES, org_id)
        if row is None:
            return None
        balance = _balance(row)
        rates = [
            Rate(meter, price, per, increment, balance.currency, since, own)
            for meter, price, per, increment, since, own in row["rates"]
        ]
        return Account(org_id, row["plan_id"], balance), rates


def _balance(row: Record) -> Balance:
    return Balance(row["posted_micros"], row["reserved_micros"], row["currency"])

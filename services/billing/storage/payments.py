"""Top-ups, the notices of payment providers, and the audit of granted credit, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from libs.postgres import Connection, Database, Record
from services.billing.domain.credit import Grant
from services.billing.domain.payments import Notice, NoticeOutcome, ReversalChange, ReversalKind, TopUp, TopUpStatus

_COLUMNS = """t.org_id, t.id, t.amount_micros, t.currency, t.provider, t.status, t.created_at, t.checkout_id,
    t.payment_url, t.payment_ref, t.reversed_micros"""
_GET = f"select {_COLUMNS} from top_up t where t.org_id = o.org and t.id = $2"
_LOCK = f"select {_COLUMNS} from top_up t where t.org_id = $1 and t.id = $2 for update"
_BY_CHECKOUT = f"select {_COLUMNS} from top_up t where t.provider = $1 and t.checkout_id = $2"
_BY_PAYMENT = f"select {_COLUMNS} from top_up t where t.provider = $1 and t.payment_ref = $2"
_ADD = """
insert into top_up (org_id, id, amount_micros, currency, provider, status, payment_url, reversed_micros, created_at,
    updated_at)
values ($1, $2, $3, $4, $5, $6, '', 0, $7, $7)"""
_OPENED = """
update top_up set checkout_id = $3, payment_url = $4, updated_at = $5
where org_id = $1 and id = $2 and checkout_id is null"""
_SAVE = """
update top_up set status = $3, payment_ref = nullif($4, ''), payment_url = $5, reversed_micros = $6, updated_at = $7
where org_id = $1 and id = $2"""
# With the schema, because advisory locks are shared by the whole database.
_LOCK_NAME = "select pg_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))"
_KNOWN = "select 1 from payment_notice n where n.provider = $1 and n.id = $2"
_NOTE = """
insert into payment_notice (provider, id, type, outcome, top_up_id, received_at) values ($1, $2, $3, $4, $5, $6)"""
# Of two states the one that the provider told later stands; of one second, the one that no longer stands.
_KEEP_REVERSAL = """
insert into payment_reversal (provider, id, kind, payment_ref, amount_minor, currency, stands, told_at, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (provider, id) do update set amount_minor = excluded.amount_minor, currency = excluded.currency,
    stands = excluded.stands, told_at = excluded.told_at, received_at = excluded.received_at
where (excluded.told_at, not excluded.stands) > (payment_reversal.told_at, not payment_reversal.stands)"""
_REVERSALS = """
select r.id, r.kind, r.payment_ref, r.amount_minor, r.currency, r.stands, r.told_at from payment_reversal r
where r.provider = $1 and r.payment_ref = $2"""
_ADD_GRANT = """
insert into credit_grant (org_id, id, amount_micros, currency, reason, granted_by_org, granted_by_user, granted_by_key,
    request_id, ledger_entry_id, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""


# Bounded, so that a sweep after a long pause holds no lock for minutes.
_SWEEP = """
delete from top_up t where (t.org_id, t.id) in (
    select o.org_id, o.id from top_up o where o.status in ('failed', 'expired') and o.updated_at < $1 limit 10000
)"""


class Payments:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, org_id: str, top_up_id: str) -> TopUp | None:
        row = await self._db.fetchrow(org_id, _GET, top_up_id)
        return _top_up(row) if row else None

    async def add(self, conn: Connection, top_up: TopUp) -> None:
        await conn.execute(
            _ADD, top_up.org_id, top_up.id, top_up.amount_micros, top_up.currency, top_up.provider,
            top_up.status.value, top_up.created_at,
        )  # fmt: skip

    async def opened(self, conn: Connection, top_up: TopUp, checkout_id: str, url: str, now: datetime) -> None:
        """Note the checkout of a top-up; the first one stays."""
        await conn.execute(_OPENED, top_up.org_id, top_up.id, checkout_id, url, now)

    async def lock(self, conn: Connection, top_up: TopUp) -> TopUp:
        return _top_up(await conn.fetchrow(_LOCK, top_up.org_id, top_up.id))

    async def save(self, conn: Connection, top_up: TopUp, now: datetime) -> None:
        await conn.execute(
            _SAVE, top_up.org_id, top_up.id, top_up.status.value, top_up.payment_ref, top_up.payment_url,
            top_up.reversed_micros, now,
        )  # fmt: skip

    async def by_checkout(self, conn: Connection, provider: str, checkout_id: str) -> TopUp | None:
        """Across organizations: a notice names no organization."""
        row = await conn.fetchrow(_BY_CHECKOUT, provider, checkout_id)
        return _top_up(row) if row else None

    async def by_payment(self, conn: Connection, provider: str, payment_ref: str) -> TopUp | None:
        """Across organizations, as `by_checkout`."""
        row = await conn.fetchrow(_BY_PAYMENT, provider, payment_ref)
        return _top_up(row) if row else None

    async def is_known(self, conn: Connection, provider: str, notice: Notice) -> bool:
        """Whether the notice was applied before; a second delivery waits here for the first one's end."""
        await conn.execute(_LOCK_NAME, f"notice\x1f{provider}\x1f{notice.id}")
        return await conn.fetchval(_KNOWN, provider, notice.id) is not None

    async def lock_payment(self, conn: Connection, provider: str, payment_ref: str) -> None:
        """Notices of one payment follow each other, so that a refund and its payment see one another."""
        await conn.execute(_LOCK_NAME, f"payment\x1f{provider}\x1f{payment_ref}")

    async def note(
        self, conn: Connection, provider: str, notice: Notice, outcome: NoticeOutcome, top_up_id: str, now: datetime
    ) -> None:
        await conn.execute(_NOTE, provider, notice.id, notice.type, outcome.value, top_up_id, now)

    async def keep_reversal(self, conn: Connection, provider: str, change: ReversalChange, now: datetime) -> None:
        await conn.execute(
            _KEEP_REVERSAL, provider, change.id, change.kind.value, change.payment_ref, change.amount_minor,
            change.currency, change.stands, change.told_at, now,
        )  # fmt: skip

    async def reversals(self, conn: Connection, provider: str, payment_ref: str) -> Sequence[ReversalChange]:
        rows = await conn.fetch(_REVERSALS, provider, payment_ref)
        return [
            ReversalChange(
                row["id"], ReversalKind(row["kind"]), row["payment_ref"], row["amount_minor"], row["currency"],
                row["stands"], row["told_at"],
            )
            for row in rows
        ]  # fmt: skip

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete top-ups that ended unpaid before this, of every organization; at most 10,000 a call."""
        return await conn.change(_SWEEP, before)

    async def add_grant(self, conn: Connection, grant: Grant) -> None:
        await conn.execute(
            _ADD_GRANT, grant.org_id, grant.id, grant.amount_micros, grant.currency, grant.reason,
            grant.granted_by_org, grant.granted_by_user, grant.granted_by_key, grant.request_id,
            grant.ledger_entry_id, grant.created_at,
        )  # fmt: skip


def _top_up(row: Record | None) -> TopUp:
    assert row is not None  # noqa: S101  a top-up is never deleted while it is found
    return TopUp(
        org_id=row["org_id"],
        id=row["id"],
        amount_micros=row["amount_micros"],
        currency=row["currency"],
        provider=row["provider"],
        status=TopUpStatus(row["status"]),
        created_at=row["created_at"],
        checkout_id=row["checkout_id"] or "",
        payment_url=row["payment_url"],
        payment_ref=row["payment_ref"] or "",
        reversed_micros=row["reversed_micros"],
    )

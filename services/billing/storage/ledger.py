"""The ledger: transactions with their legs, written together and never changed; the list of the customer's legs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.ids import new_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.billing.domain.ledger import EntryType, LedgerEntry, Leg, Posting, legs_of

LEDGER_LIST = ListRules(sorts={"createdAt": "e.created_at"})
_COLUMNS = """e.id, e.transaction_id, e.type, e.amount_micros, e.currency, e.call_id, e.usage_event_id,
    e.balance_after_micros, e.description, e.created_at"""
_LISTING = Listing(
    _COLUMNS, "ledger_entry e", LEDGER_LIST, tie="e.id", org="e.org_id", created="e.created_at", may_lag=True
)
# Transactions, their legs, the ratings of charged usage and the balance that they leave, in one statement for any
# number: columns travel as arrays. The keys of the legs to their transactions are checked at its end.
_POST = """
with posted as (
    insert into ledger_transaction (org_id, id, type, key, created_at)
    select $1, t.id, t.type, t.key, $2 from unnest($4::text[], $5::text[], $6::text[]) as t(id, type, key)
), moved as (
    update account set posted_micros = $3, updated_at = $2 where org_id = $1
), rated as (
    insert into usage_rating (org_id, usage_event_id, amount_micros, currency, transaction_id, rated_at)
    select $1, u.usage_event_id, -u.amount, u.currency, u.transaction_id, $2
    from unnest($8::text[], $9::text[], $11::bigint[], $12::text[], $15::text[])
        as u(transaction_id, account, amount, currency, usage_event_id)
    where u.account = 'customer' and u.usage_event_id <> ''
)
insert into ledger_entry (org_id, id, transaction_id, account, type, amount_micros, currency, balance_after_micros,
    call_id, usage_event_id, description, created_at)
select $1, l.id, l.transaction_id, l.account, l.type, l.amount, l.currency, l.balance_after, l.call_id,
    l.usage_event_id, l.description, $2
from unnest($7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bigint[], $14::text[],
    $15::text[], $16::text[])
    as l(id, transaction_id, account, type, amount, currency, balance_after, call_id, usage_event_id, description)"""

_BY_KEY = f"""
select {_COLUMNS} from ledger_entry e join ledger_transaction t on t.org_id = e.org_id and t.id = e.transaction_id
where e.org_id = o.org and t.org_id = o.org and t.key = $2 and e.account = 'customer'"""


class Ledger:
    def __init__(self, db: Database, cursors: CursorCodec) -> None:
        self._db = db
        self._cursors = cursors

    async def post(
        self, conn: Connection, org_id: str, postings: Sequence[Posting], balance_micros: int, now: datetime
    ) -> list[LedgerEntry]:
        """Write the postings in their order onto the balance of a locked account, and move it; what a usage event is
        charged is its rating. Returns the customer's entries."""
        pairs = []
        for posting in postings:
            balance_micros += posting.amount_micros
            pairs.append(legs_of(posting, balance_micros, new_id))
        customer = [pair[0] for pair in pairs]
        transactions = [(leg.transaction_id, leg.posting.type.value, leg.posting.key) for leg in customer]
        legs = [_columns(leg) for pair in pairs for leg in pair]
        columns = (list(column) for rows in (transactions, legs) for column in zip(*rows, strict=True))
        await conn.execute(_POST, org_id, now, balance_micros, *columns)
        return [_entry(leg, now) for leg in customer]

    async def page(self, org_id: str, request: PageRequest, entry_type: str, call_id: str) -> Page[LedgerEntry]:
        """The customer's legs, newest first."""
        filters: list[Filter] = [("e.account = 'customer'", None)]
        if entry_type:
            filters.append(("e.type = {}", entry_type))
        if call_id:
            # The second half is the condition of the partial index.
            filters.append(("e.call_id = {} and e.call_id <> ''", call_id))
        page = await fetch_page(self._db, org_id, _LISTING, request, filters, self._cursors)
        return page.map(_entry_from_row)

    async def by_key(self, org_id: str, key: str) -> LedgerEntry | None:
        """The customer's leg of the transaction that was posted under this key."""
        row = await self._db.fetchrow(org_id, _BY_KEY, key)
        return _entry_from_row(row) if row else None


def _columns(leg: Leg) -> tuple[Any, ...]:
    posting = leg.posting
    return (
        leg.id, leg.transaction_id, leg.account, posting.type.value, leg.amount_micros, posting.currency,
        leg.balance_after_micros, posting.call_id, posting.usage_event_id, posting.description,
    )  # fmt: skip


def _entry(leg: Leg, now: datetime) -> LedgerEntry:
    posting = leg.posting
    return LedgerEntry(
        leg.id, leg.transaction_id, posting.type, leg.amount_micros, posting.currency, posting.call_id,
        posting.usage_event_id, leg.balance_after_micros or 0, posting.description, now,
    )  # fmt: skip


def _entry_from_row(row: Record) -> LedgerEntry:
    return LedgerEntry(
        row["id"], row["transaction_id"], EntryType(row["type"]), row["amount_micros"], row["currency"],
        row["call_id"], row["usage_event_id"], row["balance_after_micros"], row["description"], row["created_at"],
    )  # fmt: skip

"""Settlement: what a payment provider told becomes credit, once, and is taken back by refunds and disputes.

A notice, its effects on the ledger and its events are one transaction. It runs across organizations, because a notice
names a checkout or a payment and no organization.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from libs.clock import Clock
from libs.events.outbox import append_many
from libs.postgres import Connection, Database
from services.billing.domain.credit import credit_topics
from services.billing.domain.ledger import EntryType, Posting
from services.billing.domain.payments import (
    CheckoutChange,
    CheckoutOutcome,
    Notice,
    NoticeOutcome,
    ReversalChange,
    TopUp,
    TopUpStatus,
    reversed_micros,
)
from services.billing.mapping import credit_event
from services.billing.operations.books import Books
from services.billing.storage.payments import Payments

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    database: Database
    books: Books
    payments: Payments
    low_micros: int
    clock: Clock

    async def hear(self, provider: str, notice: Notice) -> bool:
        """Apply a verified notice; False when it was applied before."""
        change, now = notice.change, self.clock.now()
        if change is None:
            return True
        async with self.database.system_transaction() as conn:
            # Providers repeat notices; the row of the first one tells.
            if await self.payments.is_known(conn, provider, notice):
                return False
            # A refund may arrive before the payment that it takes back: under this lock one of the two sees the
            # other.
            if change.payment_ref:
                await self.payments.lock_payment(conn, provider, change.payment_ref)
            if isinstance(change, ReversalChange):
                await self.payments.keep_reversal(conn, provider, change, now)
                top_up = await self.payments.by_payment(conn, provider, change.payment_ref)
            else:
                top_up = await self.payments.by_checkout(conn, provider, change.checkout_id)
            outcome = await self._apply(conn, top_up, notice) if top_up else NoticeOutcome.UNKNOWN_PAYMENT
            await self.payments.note(conn, provider, notice, outcome, top_up.id if top_up else "", now)
        if outcome is not NoticeOutcome.APPLIED:
            # For an operator: money moved at the provider, and nothing was credited.
            logger.warning("payment notice of type %s: %s", notice.type, outcome.value)
        return True

    async def _apply(self, conn: Connection, found: TopUp, notice: Notice) -> NoticeOutcome:
        # The account's lock comes first, as for every posting; the top-up is read again under it.
        await self.books.open_account(conn, found.org_id)
        top_up = await self.payments.lock(conn, found)
        if isinstance(notice.change, CheckoutChange):
            if not notice.change.is_of(top_up):
                return NoticeOutcome.MISMATCH
            top_up = await self._close(conn, top_up, notice.change)
        if top_up.was_paid:
            top_up = await self._reverse(conn, top_up, notice.id)
        await self.payments.save(conn, top_up, self.clock.now())
        return NoticeOutcome.APPLIED

    async def _close(self, conn: Connection, top_up: TopUp, change: CheckoutChange) -> TopUp:
        """A payment settles a top-up whatever was told before; other ends are those of a pending one."""
        if change.outcome is CheckoutOutcome.PAID and not top_up.was_paid:
            posting = Posting(EntryType.TOP_UP, top_up.amount_micros, top_up.currency, top_up.ledger_key, "Top-up")
            await self._post(conn, top_up.org_id, posting)
            return replace(top_up, status=TopUpStatus.SETTLED, payment_ref=change.payment_ref, payment_url="")
        if change.outcome is not CheckoutOutcome.PAID and top_up.status is TopUpStatus.PENDING:
            return replace(top_up, status=TopUpStatus(change.outcome.value), payment_url="")
        return top_up

    async def _reverse(self, conn: Connection, top_up: TopUp, notice_id: str) -> TopUp:
        """Post the difference between what is taken back and what shall be; a dispute that was won gives it again."""
        reversals = await self.payments.reversals(conn, top_up.provider, top_up.payment_ref)
        wanted = reversed_micros(top_up, reversals)
        if wanted != top_up.reversed_micros:
            amount, key = top_up.reversed_micros - wanted, f"reversal:{top_up.id}:{notice_id}"
            description = "Refund or dispute of a top-up" if amount < 0 else "Refund or dispute withdrawn"
            await self._post(conn, top_up.org_id, Posting(EntryType.REFUND, amount, top_up.currency, key, description))
        status = TopUpStatus.REVERSED if wanted == top_up.amount_micros else TopUpStatus.SETTLED
        return replace(top_up, reversed_micros=wanted, status=status)

    async def _post(self, conn: Connection, org_id: str, posting: Posting) -> None:
        account = await self.books.open_account(conn, org_id)
        entry, balance = await self.books.post_one(conn, account, posting)
        before, after = account.balance.available_micros, balance.available_micros
        topics = ["credit.topped_up"] if after > before else credit_topics(before, after, self.low_micros)
        await append_many(conn, [credit_event(topic, org_id, balance, entry) for topic in topics])

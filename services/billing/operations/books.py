"""The books: opening an account, charging usage, posting. Shared by the servicer, the subscribers and the jobs.

Every act takes the account's lock first, so acts of one organization follow each other, and whatever is done twice is
recognized under that lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.clock import Clock
from libs.errors import Internal
from libs.jobs import JobKind
from libs.postgres import Connection
from services.billing.domain.charges import Charges
from services.billing.domain.credit import Balance
from services.billing.domain.ledger import TRIAL_GRANT_KEY, TRIAL_RETURN_KEY, EntryType, LedgerEntry, Posting
from services.billing.domain.rating import Rate, rate_at, rate_usage
from services.billing.domain.usage import UsageEvent
from services.billing.storage.accounts import Account, Accounts
from services.billing.storage.ledger import Ledger
from services.billing.storage.usage import Usage

SERVICE = "billing"
# "unrated" is the argument of the jobs that the sweep makes: one at a time in an organization.
CALCULATE = JobKind(
    "billing.calculate", service=SERVICE, queue="rating", max_attempts=20, timeout_seconds=60,
    backoff=(0.2, 1, 5, 30, 120, 600), unique_by=("unrated",),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Books:
    accounts: Accounts
    ledger: Ledger
    usage: Usage
    clock: Clock
    plan: str
    trial_grant_micros: int

    async def open_account(self, conn: Connection, org_id: str) -> Account:
        """The organization's account, locked; opened with its trial grant when it has none yet."""
        account = await self.accounts.lock(conn, org_id)
        if account is not None:
            return account
        account, opened = await self._open(conn, org_id)
        # Only the act that opened the account grants the trial.
        if not opened or self.trial_grant_micros == 0:
            return account
        grant = Posting(
            EntryType.GRANT, self.trial_grant_micros, account.balance.currency, TRIAL_GRANT_KEY, "Trial credit"
        )
        _, balance = await self._post(conn, account, [grant])
        return Account(org_id, account.plan_id, balance)

    async def open_without_trial(self, conn: Connection, org_id: str) -> None:
        """The account of an agency's customer: an agency makes as many customers as it likes, and each would have a
        trial. What an earlier act granted, because it did not know yet, is taken back."""
        account, opened = await self._open(conn, org_id)
        granted = None if opened else await self.ledger.by_key(org_id, TRIAL_GRANT_KEY)
        if granted is not None and await self.ledger.by_key(org_id, TRIAL_RETURN_KEY) is None:
            amount, currency = -granted.amount_micros, granted.currency
            taken = Posting(EntryType.GRANT, amount, currency, TRIAL_RETURN_KEY, "No trial credit")
            await self._post(conn, account, [taken])

    async def _open(self, conn: Connection, org_id: str) -> tuple[Account, bool]:
        """The account, locked, and whether this act opened it."""
        # Two first acts may meet here: one opens, and both take the lock of the same row.
        opened = await self.accounts.open(conn, org_id, self.plan, self.clock.now())
        account = await self.accounts.lock(conn, org_id)
        if account is None:
            raise Internal("plan_missing", "The plan of new organizations does not exist.")
        return account, opened

    async def charge_new(self, conn: Connection, org_id: str, events: Sequence[UsageEvent]) -> Charges:
        """Rate and post usage events that this transaction has added."""
        account, rates = await self._account_with_rates(conn, org_id)
        return await self._charge(conn, account, events, rates)

    async def charge(self, conn: Connection, org_id: str, ids: Sequence[str] | None) -> Charges:
        """Rate and post the usage events with these ids (None: a batch of all) that were not rated before."""
        account, rates = await self._account_with_rates(conn, org_id)
        page = await self.usage.unrated(conn, org_id, ids, None)
        # A batch in which nothing can be charged may be followed by others: usage without a rate must not delay them.
        while page and not any(_posting(event, rates) for event in page):
            page = await self.usage.unrated(conn, org_id, ids, page[-1])
        return await self._charge(conn, account, page, rates)

    async def _account_with_rates(self, conn: Connection, org_id: str) -> tuple[Account, list[Rate]]:
        while (found := await self.accounts.lock_with_rates(conn, org_id)) is None:
            await self.open_account(conn, org_id)
        return found

    async def _charge(
        self, conn: Connection, account: Account, events: Sequence[UsageEvent], rates: Sequence[Rate]
    ) -> Charges:
        postings = [posting for event in events if (posting := _posting(event, rates)) is not None]
        if not postings:
            return Charges([], account.balance, account.balance)
        by_id = {event.id: event for event in events}
        entries, balance = await self._post(conn, account, postings)
        return Charges([(by_id[entry.usage_event_id], entry) for entry in entries], account.balance, balance)

    async def post_one(self, conn: Connection, account: Account, posting: Posting) -> tuple[LedgerEntry, Balance]:
        """Post to a locked account."""
        entries, balance = await self._post(conn, account, [posting])
        return entries[0], balance

    async def _post(
        self, conn: Connection, account: Account, postings: Sequence[Posting]
    ) -> tuple[list[LedgerEntry], Balance]:
        now, before = self.clock.now(), account.balance
        # All postings of a batch, what the usage among them cost, and the balance in one statement.
        entries = await self.ledger.post(conn, account.org_id, postings, before.posted_micros, now)
        posted = entries[-1].balance_after_micros
        return entries, Balance(posted, before.reserved_micros, before.currency)


def _posting(event: UsageEvent, rates: Sequence[Rate]) -> Posting | None:
    """None while no rate covers the event: it stays unrated, and reconciliation shows it."""
    rate = rate_at(rates, event.meter, event.event_time)
    if rate is None:
        return None
    amount = rate_usage(rate, event.quantity_micros)
    return Posting(EntryType.USAGE, -amount, rate.currency, f"usage:{event.id}", event.meter, event.call_id, event.id)

"""BillingService: usage in, balance and ledger out. Every write is one transaction with its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from echosenseix.billing.v1 import billing_pb2
from libs.clock import Clock
from libs.errors import AlreadyExists, InvalidArgument, Violation, invalid_parameter
from libs.events.outbox import append_many
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.times import from_timestamp, to_timestamp
from services.billing.domain.credit import Balance
from services.billing.domain.usage import METER_RESERVED, UsageEvent, check_batch_size, check_sent
from services.billing.domain.usage_sums import checked_groups
from services.billing.mapping import (
    balance_to_proto,
    charge_events,
    difference_to_proto,
    entry_to_proto,
    meter_to_proto,
    usage_event_from_proto,
    usage_event_to_proto,
    usage_sum_to_proto,
)
from services.billing.operations import Books
from services.billing.storage.ledger import LEDGER_LIST
from services.billing.storage.usage import USAGE_EVENT_LIST
from services.billing.storage.usage_sums import USAGE_LIST, UsageSums

from .payments import PaymentMethods, PaymentParts
from .reconciler import Reconciler

# The window without limits, in years that every part of the path can hold.
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class BillingServicer(PaymentMethods):
    def __init__(
        self,
        database: Database,
        books: Books,
        sums: UsageSums,
        reconciler: Reconciler,
        payments: PaymentParts,
        clock: Clock,
    ) -> None:
        super().__init__(database, books, payments, clock)
        self._sums = sums
        self._reconciler = reconciler
        self._low_micros = payments.settlement.low_micros

    async def RecordUsageEvents(
        self, request: billing_pb2.RecordUsageEventsRequest, context: object
    ) -> billing_pb2.RecordUsageEventsResponse:
        org_id = require_scope("billing:write").org_id
        distinct = await self._checked_events(request)

        async def act(conn: Connection) -> billing_pb2.RecordUsageEventsResponse:
            accepted = await self._record(conn, org_id, distinct)
            return billing_pb2.RecordUsageEventsResponse(accepted=accepted, duplicates=len(request.events) - accepted)

        # Before a connection is taken: see turns.py.
        async with self._turns.of(org_id):
            return await run_write(self._database, org_id, act, billing_pb2.RecordUsageEventsResponse)

    async def ListUsageEvents(
        self, request: billing_pb2.ListUsageEventsRequest, context: object
    ) -> billing_pb2.ListUsageEventsResponse:
        org_id = require_scope("billing:read").org_id
        wanted = page_request_from_proto(request.page, USAGE_EVENT_LIST)
        page = await self._books.usage.page(org_id, wanted, request.meter)
        return billing_pb2.ListUsageEventsResponse(
            events=map(usage_event_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def ListMeters(
        self, request: billing_pb2.ListMetersRequest, context: object
    ) -> billing_pb2.ListMetersResponse:
        require_scope("billing:read")
        return billing_pb2.ListMetersResponse(meters=map(meter_to_proto, await self._books.usage.meters()))

    async def ListUsage(self, request: billing_pb2.ListUsageRequest, context: object) -> billing_pb2.ListUsageResponse:
        org_id = require_scope("billing:read").org_id
        wanted = page_request_from_proto(request.page, USAGE_LIST)
        start, end = _window(request)
        page = await self._sums.page(org_id, wanted, checked_groups(request.group_by), start, end)
        return billing_pb2.ListUsageResponse(
            rows=map(usage_sum_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def GetBalance(
        self, request: billing_pb2.GetBalanceRequest, context: object
    ) -> billing_pb2.GetBalanceResponse:
        org_id = require_scope("billing:read").org_id
        return billing_pb2.GetBalanceResponse(balance=balance_to_proto(await self._balance(org_id)))

    async def ListLedgerEntries(
        self, request: billing_pb2.ListLedgerEntriesRequest, context: object
    ) -> billing_pb2.ListLedgerEntriesResponse:
        org_id = require_scope("billing:read").org_id
        wanted = page_request_from_proto(request.page, LEDGER_LIST)
        page = await self._books.ledger.page(org_id, wanted, request.type, request.call_id)
        # A new organization's list shows its trial credit, which its first read writes.
        if not page.items and await self._books.accounts.balance(org_id) is None:
            await self._balance(org_id)
            page = await self._books.ledger.page(org_id, wanted, request.type, request.call_id)
        return billing_pb2.ListLedgerEntriesResponse(
            entries=map(entry_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def Reconcile(self, request: billing_pb2.ReconcileRequest, context: object) -> billing_pb2.ReconcileResponse:
        org_id = require_scope("billing:read").org_id
        start, end = _window(request)
        found = await self._reconciler.reconcile(org_id, start, end)
        return billing_pb2.ReconcileResponse(
            from_time=to_timestamp(start),
            to_time=to_timestamp(min(end, self._clock.now())),
            calls=found.calls,
            usage_events=found.usage_events,
            ledger_entries=found.ledger_entries,
            differences=map(difference_to_proto, found.differences),
        )

    async def _checked_events(self, request: billing_pb2.RecordUsageEventsRequest) -> list[UsageEvent]:
        """The distinct events of the request; InvalidArgument with every violation, or usage_event_conflict."""
        check_batch_size(len(request.events))
        meters, now = await self._books.usage.meters(), self._clock.now()
        events, violations = [], list[Violation]()
        for i, message in enumerate(request.events):
            try:
                event = usage_event_from_proto(message, f"#/events/{i}")
            except InvalidArgument as refusal:
                violations += refusal.violations
                continue
            events.append(event)
            violations += check_sent(event, meters, now, f"#/events/{i}")
        if any(violation.code == METER_RESERVED for violation in violations):
            raise InvalidArgument("meter_reserved", "The suite meters calls itself.", violations=violations)
        # All of them at once, so that a client corrects a batch in one go.
        if violations:
            raise InvalidArgument("validation_failed", "Some fields break a rule.", violations=violations)
        distinct = {event.id: event for event in events}
        # One id twice in a request with different bodies is the same conflict as across requests.
        if any(event.digest != distinct[event.id].digest for event in events):
            raise _conflict()
        return list(distinct.values())

    async def _record(self, conn: Connection, org_id: str, events: Sequence[UsageEvent]) -> int:
        """Record and charge; the number of new ones. One conflict refuses them all."""
        recorded = await self._books.usage.record(conn, org_id, events, self._clock.now())
        if recorded.conflicting:
            raise _conflict()
        if recorded.added:
            await self._database.quotas.spend(conn, org_id, "usage_events_per_day", len(recorded.added))
            charges = await self._books.charge_new(conn, org_id, recorded.added)
            await append_many(conn, charge_events(org_id, charges, self._low_micros))
        return len(recorded.added)

    async def _balance(self, org_id: str) -> Balance:
        """The balance; an organization that was never billed gets its account and its trial credit now."""
        balance = await self._books.accounts.balance(org_id)
        if balance is None:
            async with self._turns.of(org_id), self._database.transaction(org_id) as conn:
                balance = (await self._books.open_account(conn, org_id)).balance
        return balance


def _window(request: billing_pb2.ListUsageRequest | billing_pb2.ReconcileRequest) -> tuple[datetime, datetime]:
    start = from_timestamp(request, "from_time") or _EVER[0]
    end = from_timestamp(request, "to_time") or _EVER[1]
    if start >= end:
        raise invalid_parameter("from", "Set from to a time before to.")
    return start, end


def _conflict() -> AlreadyExists:
    return AlreadyExists(
        "usage_event_conflict",
        "An event with one of these ids was recorded with another body. Nothing of this request was recorded.",
    )

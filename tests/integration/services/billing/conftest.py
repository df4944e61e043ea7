"""Billing on a real database: servicer, subscribers and a running worker, and a call log that answers from a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from echosenseix.billing.v1 import billing_pb2
from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.common.v1 import common_pb2
from echosenseix.events.v1 import events_pb2
from libs.bus import Bus
from libs.clock import SystemClock
from libs.events import Event, ReceivedEvent
from libs.jobs import Worker
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Principal
from libs.rpc.times import to_timestamp
from local.stores import Stores, run_sql
from services.billing.jobs import Calculation, job_handlers
from services.billing.operations import Books, Settlement
from services.billing.payments import LocalPayments, PaymentProvider
from services.billing.servicer import BillingServicer, PaymentParts
from services.billing.servicer.reconciler import Reconciler
from services.billing.storage.accounts import Accounts
from services.billing.storage.ledger import Ledger
from services.billing.storage.payments import Payments
from services.billing.storage.reconciliation import Reconciliations
from services.billing.storage.usage import Usage
from services.billing.storage.usage_sums import UsageSums
from services.billing.subscribers import Subscribers as BillingSubscribers

GRANT = 10_000_000
LOW = 2_000_000
# Priced as calls are, which only the suite meters.
_TEST_METER = """
insert into billing.meter (name, unit, description) values ('chat_seconds', 'second', 'As calls');
insert into billing.plan_rate (plan_id, meter, effective_from, price_micros, per, increment_micros)
select plan_id, 'chat_seconds', effective_from, price_micros, per, increment_micros
from billing.plan_rate where meter = 'call_seconds'"""
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@contextmanager
def as_org(
    org: str, *, key: str = "", fingerprint: str = "", scopes: tuple[str, ...] = ("*",), home: str = ""
) -> Iterator[CallContext]:
    principal = Principal(
        org_id=org, user_id="usr_1", session_id="ses_1", role="owner", scopes=frozenset(scopes), issuer="gateway",
        home_org_id=home,
    )  # fmt: skip
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=fingerprint), principal) as call:
        yield call


def usage(
    usage_id: str, value: str = "60", meter: str = "chat_seconds", at: datetime = NOON, **properties: Any
) -> billing_pb2.UsageEvent:
    event = billing_pb2.UsageEvent(id=usage_id, meter=meter, event_time=to_timestamp(at), value=value)
    event.properties.update(properties)
    return event


def call_event(
    org: str, call_id: str, seconds: float, *, topic: str = "call.ended", at: datetime = NOON, billable: bool = True,
    agent_id: str = "agt_1",
) -> ReceivedEvent:  # fmt: skip
    call = events_pb2.CallChanged(
        call_id=call_id, agent_id=agent_id, provider="elevenlabs", duration_seconds=seconds, ended_at=to_timestamp(at),
        billable=billable, version=1,
    )  # fmt: skip
    data = call if topic.startswith("call.") else events_pb2.OrganizationChanged(organization_id=org)
    return ReceivedEvent.of(Event(topic, org, call_id, data, time=at).envelope())


@dataclass
class CallLogPages:
    """Answers as the call log would, from calls that a test names: a real answer of its message type."""

    calls: dict[str, list[tuple[str, float, datetime]]] = field(default_factory=dict)

    async def list_billable(
        self, request: calllog_pb2.ListBillableCallsRequest
    ) -> calllog_pb2.ListBillableCallsResponse:
        start, end = request.from_time.ToDatetime(tzinfo=UTC), request.to_time.ToDatetime(tzinfo=UTC)
        known = sorted(self.calls.get(request.organization_id, []))
        wanted = [call for call in known if call[0] > request.after_id and start <= call[2] < end]
        page = wanted[: request.limit]
        return calllog_pb2.ListBillableCallsResponse(
            calls=[
                calllog_pb2.BillableCall(call_id=call, duration_seconds=seconds, end_time=to_timestamp(at))
                for call, seconds, at in page
            ],
            has_more=len(wanted) > len(page),
        )


@dataclass(frozen=True)
class Billing:
    database: Database
    servicer: BillingServicer
    books: Books
    subscribers: BillingSubscribers
    calculation: Calculation
    call_log: CallLogPages
    bus: Bus

    async def record(self, org: str, *events: billing_pb2.UsageEvent, key: str = "") -> tuple[int, int]:
        with as_org(org, key=key, fingerprint="f"):
            request = billing_pb2.RecordUsageEventsRequest(events=events)
            answer = await self.servicer.RecordUsageEvents(request, None)
        return answer.accepted, answer.duplicates

    async def top_up(self, org: str, micros: int, *, key: str, currency: str = "USD") -> Any:
        amount = common_pb2.Money(micros=micros, currency=currency)
        with as_org(org, key=key, fingerprint=f"{micros}{currency}"):
            return await self.servicer.CreateTopUp(billing_pb2.CreateTopUpRequest(amount=amount), None)

    async def balance(self, org: str) -> billing_pb2.Balance:
        with as_org(org):
            return (await self.servicer.GetBalance(billing_pb2.GetBalanceRequest(), None)).balance

    async def ledger(self, org: str, **filters: Any) -> list[billing_pb2.LedgerEntry]:
        with as_org(org):
            request = billing_pb2.ListLedgerEntriesRequest(**filters)
            return list((await self.servicer.ListLedgerEntries(request, None)).entries)

    async def usage_rows(self, org: str, *group_by: str, **fields: Any) -> billing_pb2.ListUsageResponse:
        with as_org(org):
            return await self.servicer.ListUsage(billing_pb2.ListUsageRequest(group_by=group_by, **fields), None)

    async def reconcile(self, org: str, start: datetime | None = None, end: datetime | None = None) -> Any:
        request = billing_pb2.ReconcileRequest(from_time=to_timestamp(start), to_time=to_timestamp(end))
        with as_org(org):
            return await self.servicer.Reconcile(request, None)

    async def hear_call(self, event: ReceivedEvent) -> None:
        """As the consumer delivers it: a system transaction of the event's organization."""
        async with self.database.system_transaction(event.org_id) as conn:
            await self.subscribers.on_calls(conn, [event])

    async def settled(self, org: str) -> None:
        """Until no job of the organization is on its way."""
        live = "select count(*) from job j where j.org_id = $1 and j.state in ('queued', 'scheduled', 'running')"
        async with asyncio.timeout(20):
            while await self.database.system_fetchval(live, org):
                await asyncio.sleep(0.02)

    async def legs(self, org: str) -> list[tuple[str, str, int]]:
        sql = "select e.transaction_id, e.account, e.amount_micros from ledger_entry e where e.org_id = $1"
        rows = await self.database.system_fetch(sql, org)
        return [(row["transaction_id"], row["account"], row["amount_micros"]) for row in rows]

    async def topics(self, org: str) -> list[str]:
        rows = await self.database.system_fetch("select x.topic from outbox x where x.org_id = $1 order by x.id", org)
        return [row["topic"] for row in rows]


def payment_parts(
    database: Database, books: Books, provider: PaymentProvider | None, operators: tuple[str, ...] = ()
) -> PaymentParts:
    stored = Payments(database)
    return PaymentParts(stored, Settlement(database, books, stored, LOW, SystemClock()), provider, operators)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def billing(stores: Stores, service_database: Callable[..., Awaitable[Database]]) -> AsyncIterator[Billing]:
    database = await service_database("billing")
    run_sql(database.settings.database_admin_url or "", _TEST_METER)
    cursors, clock = CursorCodec(b"c" * 32), SystemClock()
    books = Books(
        Accounts(database), Ledger(database, cursors), Usage(database, cursors), clock, "plan_standard", GRANT
    )
    call_log = CallLogPages()
    reconciler = Reconciler(Reconciliations(database), call_log.list_billable)
    payments = payment_parts(database, books, LocalPayments())
    servicer = BillingServicer(database, books, UsageSums(database, cursors), reconciler, payments, clock)
    calculation = Calculation(books, LOW, clock)
    bus = await Bus.connect(stores.nats_url, "billing-test")
    database.announce_through(bus.publish_core)
    stop = asyncio.Event()
    handlers = job_handlers(calculation, Payments(database))
    worker = asyncio.create_task(Worker(database.settings, "billing", database, bus, handlers).run(stop))
    yield Billing(database, servicer, books, BillingSubscribers(books, LOW, clock), calculation, call_log, bus)
    stop.set()
    await worker
    await bus.close()

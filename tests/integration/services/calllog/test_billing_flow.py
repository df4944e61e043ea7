"""From a webhook to a cost, over real NATS: call-log and billing, each with its own database, relay and consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest_asyncio

from echosenseix.billing.v1 import billing_pb2
from libs.bus import Bus
from libs.clock import SystemClock
from libs.events import EventConsumer, OutboxRelay
from libs.ids import new_id
from libs.jobs import Worker
from libs.paging import CursorCodec
from libs.postgres import Database
from local.stores import Stores
from services.billing.jobs import Calculation, job_handlers
from services.billing.operations import Books, Settlement
from services.billing.payments import LocalPayments
from services.billing.servicer import BillingServicer, PaymentParts
from services.billing.servicer.reconciler import Reconciler
from services.billing.storage.accounts import Accounts
from services.billing.storage.ledger import Ledger
from services.billing.storage.payments import Payments
from services.billing.storage.reconciliation import Reconciliations
from services.billing.storage.usage import Usage
from services.billing.storage.usage_sums import UsageSums
from services.billing.subscribers import Subscribers as BillingSubscribers

from .conftest import CallLog, as_org, as_service, eventually, failure, transcription

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"


@dataclass(frozen=True)
class Flow:
    billing: BillingServicer
    database: Database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def flow(
    stores: Stores, calllog: CallLog, service_database: Callable[..., Awaitable[Database]]
) -> AsyncIterator[Flow]:
    database, clock, cursors = await service_database("billing"), SystemClock(), CursorCodec(b"c" * 32)
    ledger, usage = Ledger(database, cursors), Usage(database, cursors)
    books = Books(Accounts(database), ledger, usage, clock, "plan_standard", 10_000_000)
    bus = await Bus.connect(stores.nats_url, "billing-flow")
    database.announce_through(bus.publish_core)

    async def list_billable(request):  # type: ignore[no-untyped-def]
        with as_service(request.organization_id):
            return await calllog.servicer.ListBillableCalls(request, None)

    reconciler = Reconciler(Reconciliations(database), list_billable)
    stored = Payments(database)
    payments = PaymentParts(stored, Settlement(database, books, stored, 2_000_000, clock), LocalPayments(), ())
    servicer = BillingServicer(database, books, UsageSums(database, cursors), reconciler, payments, clock)
    stop = asyncio.Event()
    handlers = job_handlers(Calculation(books, 2_000_000, clock), stored)
    running = [
        OutboxRelay(calllog.database.settings, "calllog", calllog.bus).run(stop),
        OutboxRelay(database.settings, "billing", bus).run(stop),
        EventConsumer(calllog.bus, calllog.database, "calllog", calllog.subscribers.handlers()).run(stop),
        EventConsumer(bus, database, "billing", BillingSubscribers(books, 2_000_000, clock).handlers()).run(stop),
        Worker(database.settings, "billing", database, bus, handlers).run(stop),
    ]
    tasks = [asyncio.ensure_future(part) for part in running]
    yield Flow(servicer, database)
    stop.set()
    await asyncio.gather(*tasks)
    await bus.close()


async def test_a_call_is_charged_and_its_cost_comes_back(calllog: CallLog, flow: Flow, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation))
    call = await calllog.call_of(org.id, conversation)

    async def priced() -> bool:
        return (await calllog.get(org.id, call.id)).HasField("cost")

    await eventually(priced)
    assert (await calllog.get(org.id, call.id)).cost.micros == 61_667
    with as_org(org.id):
        entries = (await flow.billing.ListLedgerEntries(billing_pb2.ListLedgerEntriesRequest(), None)).entries
        found = await flow.billing.Reconcile(billing_pb2.ReconcileRequest(), None)
    assert [(entry.type, entry.call_id, entry.amount_micros) for entry in entries] == [
        ("usage", call.id, -61_667),
        ("grant", "", 10_000_000),
    ]
    assert (found.calls, found.usage_events, found.ledger_entries, list(found.differences)) == (1, 1, 1, [])


async def test_many_calls_in_any_order_are_each_charged_once(calllog: CallLog, flow: Flow) -> None:
    """Initiation failures, early and whole reports of 40 conversations, repeated, all at once."""
    org = await calllog.organization(AGENT)
    keys = [new_id("conv") for _ in range(40)]
    deliveries = [
        envelope
        for key in keys
        for envelope in (failure(key), transcription(key, status="processing"), transcription(key), transcription(key))
    ]
    await asyncio.gather(*(calllog.deliver(org, envelope) for envelope in deliveries[::3]))
    await asyncio.gather(*(calllog.deliver(org, envelope) for envelope in deliveries[::-1]))
    await calllog.settled(org.id)

    async def charged() -> bool:
        with as_org(org.id):
            balance = (await flow.billing.GetBalance(billing_pb2.GetBalanceRequest(), None)).balance
        return balance.available_micros == 10_000_000 - 40 * 61_667

    await eventually(charged)
    with as_org(org.id):
        found = await flow.billing.Reconcile(billing_pb2.ReconcileRequest(), None)
    assert (found.calls, found.usage_events, list(found.differences)) == (40, 40, [])
    topics = [topic for topic, _ in await calllog.events(org.id)]
    assert topics.count("call.ended") == 40

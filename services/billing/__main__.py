"""Billing's processes: serve (gRPC), work (rating, subscriptions, outbox relay), migrate. Wiring, nothing else."""

from functools import partial
from pathlib import Path

from echosenseix.billing.v1.billing_pb2_grpc import add_BillingServiceServicer_to_server
from echosenseix.calllog.v1.calllog_pb2_grpc import CallLogServiceStub
from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.clock import SystemClock
from libs.events import OutboxRelay
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main

from .config import BillingSettings
from .jobs import Calculation
from .operations import Books
from .servicer import BillingServicer
from .servicer.reconciler import Reconciler
from .storage.accounts import Accounts
from .storage.ledger import Ledger
from .storage.reconciliation import Reconciliations
from .storage.usage import Usage
from .storage.usage_sums import UsageSums
from .subscribers import BillingSubscribers

SERVICE = "billing"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[BillingSettings]) -> None:
    settings, clock = runtime.settings, SystemClock()
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    cursors = CursorCodec.from_base64(settings.cursor_key)
    minter = PrincipalMinter(settings.principal_signing_key)
    calls = open_channel(settings.calllog_grpc, audience="calllog", minter=minter)
    runtime.on_close("calllog", calls.close)
    reconciler = Reconciler(Reconciliations(database), CallLogServiceStub(calls).ListBillableCalls)
    books, sums = _books(settings, database, cursors), UsageSums(database, cursors)
    servicer = BillingServicer(database, books, sums, reconciler, settings.low_credit_micros, clock)
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus)
    await runtime.serve_rpc(
        [
            (add_BillingServiceServicer_to_server, servicer),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ]
    )


async def work(runtime: Runtime[BillingSettings]) -> None:
    settings, clock = runtime.settings, SystemClock()
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    books = _books(settings, database, CursorCodec.from_base64(settings.cursor_key))
    handlers = Calculation(books, settings.low_credit_micros, clock).handlers()
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("subscribers", BillingSubscribers(books, clock).consumer(bus, database).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, handlers).run)


def _books(settings: BillingSettings, database: Database, cursors: CursorCodec) -> Books:
    ledger, usage = Ledger(database, cursors), Usage(database, cursors)
    return Books(Accounts(database), ledger, usage, SystemClock(), settings.plan, settings.trial_grant_micros)


if __name__ == "__main__":
    service_main(SERVICE, BillingSettings, serve=serve, work=work, migrations=MIGRATIONS)

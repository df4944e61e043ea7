"""Billing's processes: serve (gRPC), work (rating, subscriptions, outbox relay), migrate. Wiring, nothing else."""

from __future__ import annotations

from pathlib import Path

from echosenseix.billing.v1.billing_pb2_grpc import add_BillingServiceServicer_to_server
from echosenseix.calllog.v1.calllog_pb2_grpc import CallLogServiceStub
from libs.clock import SystemClock
from libs.http import OutboundClient
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from suite.services import BILLING as SERVICE
from suite.tables import QUOTAS

from .config import BillingSettings
from .jobs import Calculation, job_handlers
from .operations import Books, Settlement
from .payments import LocalPayments, PaymentProvider, Stripe, StripeAccount
from .servicer import BillingServicer, PaymentParts
from .servicer.reconciler import Reconciler
from .storage.accounts import Accounts
from .storage.ledger import Ledger
from .storage.payments import Payments
from .storage.reconciliation import Reconciliations
from .storage.usage import Usage
from .storage.usage_sums import UsageSums
from .subscribers import Subscribers

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[BillingSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors, clock = service.settings, service.database, service.cursors, SystemClock()
    calls = CallLogServiceStub(service.channel(settings.calllog_grpc, "calllog"))
    reconciler = Reconciler(Reconciliations(database), calls.ListBillableCalls)
    # Sums only read, so they need neither the books nor the account's lock.
    books, sums = _books(settings, database, cursors), UsageSums(database, cursors)
    payments = _payments(runtime, settings, database, books)
    servicer = BillingServicer(database, books, sums, reconciler, payments, clock)
    await service.serve((add_BillingServiceServicer_to_server, servicer))


async def work(runtime: Runtime[BillingSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors, clock = service.settings, service.database, service.cursors, SystemClock()
    books = _books(settings, database, cursors)
    handlers = job_handlers(Calculation(books, settings.low_credit_micros, clock), Payments(database))
    service.work(handlers, Subscribers(books, settings.low_credit_micros, clock).handlers())


def _payments(
    runtime: Runtime[BillingSettings], settings: BillingSettings, database: Database, books: Books
) -> PaymentParts:
    stored = Payments(database)
    settlement = Settlement(database, books, stored, settings.low_credit_micros, SystemClock())
    # Locally the first organization may grant credit; in production only those that are named.
    operators = settings.operator_organizations if settings.production or settings.operator_organizations else None
    return PaymentParts(stored, settlement, _provider(runtime, settings), operators)


def _provider(runtime: Runtime[BillingSettings], settings: BillingSettings) -> PaymentProvider | None:
    # Without a provider a top-up answers 501; everything else works.
    if settings.payment_provider == "none":
        return None
    if settings.payment_provider == "test":
        return LocalPayments()
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    account = StripeAccount(
        settings.stripe_secret_key, settings.stripe_webhook_secrets, settings.stripe_api_url,
        settings.payment_return_url or "",
    )  # fmt: skip
    return Stripe(account, client)


def _books(settings: BillingSettings, database: Database, cursors: CursorCodec) -> Books:
    ledger, usage = Ledger(database, cursors), Usage(database, cursors)
    return Books(Accounts(database), ledger, usage, SystemClock(), settings.plan, settings.trial_grant_micros)


if __name__ == "__main__":
    service_main(
        SERVICE.name, BillingSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip

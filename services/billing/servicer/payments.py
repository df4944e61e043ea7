"""Money in: top-ups paid at a provider, its webhooks, and credit that operators grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from echosenseix.billing.v1 import billing_pb2, billing_pb2_grpc
from libs.clock import Clock
from libs.context import current_call
from libs.errors import InvalidArgument, NotFound, PermissionDenied, Unimplemented, Violation
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.principal import ROLE_GATEWAY, Principal
from services.billing.domain.credit import MAX_REASON, Balance, Grant, check_top_up
from services.billing.domain.ledger import EntryType, Posting
from services.billing.domain.payments import TopUp, TopUpStatus
from services.billing.mapping import balance_to_proto, credit_event, entry_to_proto, top_up_to_proto
from services.billing.operations import Books, Settlement
from services.billing.payments import PaymentProvider
from services.billing.storage.payments import Payments

from .turns import Turns


@dataclass(frozen=True, slots=True)
class PaymentParts:
    """`provider` is None where none is configured. `operators` are the organizations that may grant credit; None: the
    one that was billed first (ENVIRONMENT=local)."""

    stored: Payments
    settlement: Settlement
    provider: PaymentProvider | None
    operators: Sequence[str] | None


class PaymentMethods(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self, database: Database, books: Books, payments: PaymentParts, clock: Clock) -> None:
        self._database = database
        self._books = books
        self._payments = payments
        self._clock = clock
        self._turns = Turns()

    async def CreateTopUp(
        self, request: billing_pb2.CreateTopUpRequest, context: object
    ) -> billing_pb2.CreateTopUpResponse:
        """Three steps, each safe to repeat under the same key: the row, its checkout, and what became of it. No
        transaction is open while the provider is asked."""
        org_id = require_scope("billing:write").org_id
        provider = self._provider()

        async def act(conn: Connection) -> billing_pb2.CreateTopUpResponse:
            top_up = await self._new_top_up(conn, org_id, provider.name, request)
            return billing_pb2.CreateTopUpResponse(top_up=top_up_to_proto(top_up))

        async with self._turns.of(org_id):
            made = await run_write(self._database, org_id, act, billing_pb2.CreateTopUpResponse, required=True)
        top_up = await self._top_up(org_id, made.top_up.id)
        # A repeated request continues where the first one stopped.
        if top_up.status is TopUpStatus.PENDING and not top_up.payment_url and top_up.provider == provider.name:
            top_up = await self._open_checkout(provider, top_up)
        return await self._shown(top_up)

    async def GetTopUp(self, request: billing_pb2.GetTopUpRequest, context: object) -> billing_pb2.GetTopUpResponse:
        org_id = require_scope("billing:read").org_id
        shown = await self._shown(await self._top_up(org_id, request.id))
        return billing_pb2.GetTopUpResponse(top_up=shown.top_up, balance=shown.balance)

    async def ReceivePaymentWebhook(
        self, request: billing_pb2.ReceivePaymentWebhookRequest, context: object
    ) -> billing_pb2.ReceivePaymentWebhookResponse:
        # The signature is the credential, but only the public door may bring it.
        if current_principal().role != ROLE_GATEWAY:
            raise PermissionDenied("gateway_only", "Only the gateway may call this.")
        provider = self._provider()
        if request.provider != provider.name:
            raise _not_configured()
        notice = provider.read_webhook(request.signature, request.body, self._clock.now())
        was_new = await self._payments.settlement.hear(provider.name, notice)
        return billing_pb2.ReceivePaymentWebhookResponse(duplicate=not was_new)

    async def GrantCredit(
        self, request: billing_pb2.GrantCreditRequest, context: object
    ) -> billing_pb2.GrantCreditResponse:
        operator = require_scope("*")
        await self._require_operator(operator)
        _check_reason(request.reason)

        async def act(conn: Connection) -> billing_pb2.GrantCreditResponse:
            # The operator's own organization holds the idempotency key; the credit belongs to another one.
            await conn.enter(request.organization_id)
            return await self._grant(conn, operator, request)

        return await run_write(self._database, operator.org_id, act, billing_pb2.GrantCreditResponse, required=True)

    async def _new_top_up(
        self, conn: Connection, org_id: str, provider: str, request: billing_pb2.CreateTopUpRequest
    ) -> TopUp:
        account, amount = await self._books.open_account(conn, org_id), request.amount
        check_top_up(amount.micros, amount.currency, account.balance.currency)
        await self._database.quotas.admit(conn, org_id, "pending_top_ups", "unpaid_top_ups")
        now = self._clock.now()
        top_up = TopUp(
            org_id, new_id("top"), amount.micros, account.balance.currency, provider, TopUpStatus.PENDING, now
        )
        await self._payments.stored.add(conn, top_up)
        return top_up

    async def _open_checkout(self, provider: PaymentProvider, top_up: TopUp) -> TopUp:
        checkout = await provider.open_checkout(top_up)
        async with self._database.transaction(top_up.org_id) as conn:
            await self._payments.stored.opened(conn, top_up, checkout.id, checkout.url, self._clock.now())
        if checkout.notice is not None:
            async with self._turns.of(top_up.org_id):
                await self._payments.settlement.hear(provider.name, checkout.notice)
        return await self._top_up(top_up.org_id, top_up.id)

    async def _shown(self, top_up: TopUp) -> billing_pb2.CreateTopUpResponse:
        """A settled top-up shows the balance that it led to, so that a repeated request gets the same answer."""
        balance = await self._books.accounts.balance(top_up.org_id)
        entry = await self._books.ledger.by_key(top_up.org_id, top_up.ledger_key) if top_up.was_paid else None
        if balance is None:
            raise NotFound("top_up_not_found", "No such top-up.")
        # The balance of that moment and not of now.
        if entry is not None:
            balance = Balance(entry.balance_after_micros, balance.reserved_micros, balance.currency)
        return billing_pb2.CreateTopUpResponse(
            entry=entry_to_proto(entry) if entry else None,
            balance=balance_to_proto(balance),
            top_up=top_up_to_proto(top_up),
        )

    async def _top_up(self, org_id: str, top_up_id: str) -> TopUp:
        top_up = await self._payments.stored.get(org_id, top_up_id)
        if top_up is None:
            raise NotFound("top_up_not_found", "No such top-up.")
        return top_up

    async def _grant(
        self, conn: Connection, operator: Principal, request: billing_pb2.GrantCreditRequest
    ) -> billing_pb2.GrantCreditResponse:
        account, grant_id = await self._books.accounts.lock(conn, request.organization_id), new_id("grn")
        if account is None:
            raise NotFound("organization_not_found", "No such organization.")
        check_top_up(request.amount.micros, request.amount.currency, account.balance.currency)
        posting = Posting(
            EntryType.GRANT, request.amount.micros, account.balance.currency, f"grant:{grant_id}", request.reason
        )
        entry, balance = await self._books.post_one(conn, account, posting)
        await self._payments.stored.add_grant(
            conn,
            Grant(
                org_id=account.org_id,
                id=grant_id,
                amount_micros=entry.amount_micros,
                currency=entry.currency,
                reason=request.reason,
                granted_by_org=operator.org_id,
                granted_by_user=operator.user_id,
                granted_by_key=operator.api_key_id,
                request_id=current_call().request_id,
                ledger_entry_id=entry.id,
                created_at=entry.created_at,
            ),
        )
        await append(conn, credit_event("credit.topped_up", account.org_id, balance, entry))
        return billing_pb2.GrantCreditResponse(
            entry=entry_to_proto(entry), balance=balance_to_proto(balance), grant_id=grant_id
        )

    async def _require_operator(self, principal: Principal) -> None:
        operators = self._payments.operators
        if operators is None:
            operators = [await self._books.accounts.first() or ""]
        if not principal.org_id or principal.home_org_id or principal.org_id not in operators:
            raise PermissionDenied("operators_only", "Only the platform's own organization may do this.")

    def _provider(self) -> PaymentProvider:
        if self._payments.provider is None:
            raise _not_configured()
        return self._payments.provider


def _not_configured() -> Unimplemented:
    return Unimplemented("payments_not_configured", "This installation takes no payments. Ask its operator for credit.")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON or "\x00" in reason:
        found = Violation("#/reason", "invalid_value", f"Give a reason of 1 to {MAX_REASON} characters.")
        raise InvalidArgument("validation_failed", "Some fields break a rule.", violations=[found])

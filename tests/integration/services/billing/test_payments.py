"""Credit comes from a verified payment: once, of exactly the amount that was asked for, and refunds take it back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.billing.v1 import billing_pb2
from echosenseix.common.v1 import common_pb2
from libs.errors import (
    AppError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from libs.http import OutboundClient
from libs.ids import new_id
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import ROLE_GATEWAY, Principal
from services.billing.payments import PaymentProvider, Stripe, StripeAccount
from services.billing.servicer import BillingServicer
from suite.tables import QUOTAS

from .conftest import GRANT, Billing, as_org, payment_parts
from .stripe_api import SECRET_KEY, WEBHOOK_SECRET, StripeApi, event, serving_stripe, signature

TEN = 10_000_000
GATEWAY = Principal(role=ROLE_GATEWAY, issuer="gateway")


@dataclass(frozen=True)
class Paid:
    """Billing with Stripe as its payment provider."""

    billing: Billing
    servicer: BillingServicer
    api: StripeApi

    async def top_up(self, org: str, micros: int = TEN, key: str = "") -> billing_pb2.CreateTopUpResponse:
        amount = common_pb2.Money(micros=micros, currency="USD")
        with as_org(org, key=key or new_id("key"), fingerprint=f"{micros}"):
            return await self.servicer.CreateTopUp(billing_pb2.CreateTopUpRequest(amount=amount), None)

    async def status(self, org: str, top_up_id: str) -> tuple[str, int]:
        """The status, and what was taken back."""
        with as_org(org, scopes=("billing:read",)):
            answer = await self.servicer.GetTopUp(billing_pb2.GetTopUpRequest(id=top_up_id), None)
        return answer.top_up.status, answer.top_up.reversed_micros

    async def hear(self, body: bytes, header: str | None = None) -> bool:
        """A webhook; whether it is called a duplicate."""
        request = billing_pb2.ReceivePaymentWebhookRequest(
            provider="stripe", signature=signature(body) if header is None else header, body=body
        )
        with serving(CallContext(), GATEWAY):
            return (await self.servicer.ReceivePaymentWebhook(request, None)).duplicate

    async def pay(self, top_up_id: str, **fields: Any) -> bool:
        return await self.hear(event("checkout.session.completed", {**self.api.paid(top_up_id), **fields}))

    async def posted(self, org: str) -> int:
        return (await self.billing.balance(org)).posted_micros - GRANT

    def refund(self, top_up_id: str, cents: int, number: str = "re_1", status: str = "succeeded") -> dict[str, Any]:
        payment = self.api.paid(top_up_id)["payment_intent"]
        return {
            "id": number + top_up_id, "object": "refund", "payment_intent": payment, "amount": cents,
            "currency": "usd", "status": status,
        }  # fmt: skip

    def dispute(self, top_up_id: str, status: str, cents: int = 1_000) -> dict[str, Any]:
        return {**self.refund(top_up_id, cents, "dp_1", status), "object": "dispute"}


def with_provider(billing: Billing, provider: PaymentProvider | None, *operators: str) -> BillingServicer:
    known = billing.servicer
    parts = payment_parts(billing.database, billing.books, provider, operators)
    return BillingServicer(billing.database, billing.books, known._sums, known._reconciler, parts, known._clock)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paid(billing: Billing) -> AsyncIterator[Paid]:
    async with serving_stripe() as api:
        allow = (api.url.removeprefix("http://"),)
        async with OutboundClient(allow) as client:
            secrets = ("whsec_the_next_one", WEBHOOK_SECRET)
            account = StripeAccount(SECRET_KEY, secrets, api.url, "https://app.example.com/credit")
            yield Paid(billing, with_provider(billing, Stripe(account, client)), api)


async def test_a_top_up_is_credited_when_stripe_says_that_it_was_paid(paid: Paid) -> None:
    org = new_id("org")
    made = await paid.top_up(org)
    top_up = made.top_up
    assert (top_up.status, made.HasField("entry"), made.balance.posted_micros) == ("pending", False, GRANT)
    session = paid.api.session_of(top_up.id)
    assert top_up.payment_url == session["url"]
    assert (session["amount_total"], session["currency"]) == (1_000, "usd")
    assert paid.api.requests[-1]["success_url"] == f"https://app.example.com/credit?topUp={top_up.id}"
    assert await paid.posted(org) == 0
    assert await paid.pay(top_up.id) is False
    assert await paid.posted(org) == TEN
    assert await paid.status(org, top_up.id) == ("settled", 0)
    assert await paid.billing.topics(org) == ["credit.topped_up"]
    assert (await paid.billing.ledger(org))[0].type == "top_up"


async def test_a_notice_credits_once_however_often_and_at_once_it_comes(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    body = event("checkout.session.completed", paid.api.paid(top_up.id))
    duplicates = await asyncio.gather(*(paid.hear(body) for _ in range(10)))
    assert sorted(duplicates) == [False] + [True] * 9
    other = event("checkout.session.async_payment_succeeded", paid.api.paid(top_up.id))
    assert await paid.hear(other) is False
    assert await paid.posted(org) == TEN


async def test_a_key_makes_one_top_up_and_one_checkout(paid: Paid) -> None:
    org, key = new_id("org"), new_id("key")
    before = len(paid.api.sessions)
    first = await paid.top_up(org, key=key)
    assert await paid.top_up(org, key=key) == first
    assert len(paid.api.sessions) == before + 1
    await paid.pay(first.top_up.id)
    settled = await paid.top_up(org, key=key)
    assert (settled.top_up.id, settled.top_up.status) == (first.top_up.id, "settled")
    with pytest.raises(InvalidArgument, match="idempotency_key_reused"):
        await paid.top_up(org, 2 * TEN, key)


async def test_a_failure_of_stripe_is_repaired_by_the_same_key(paid: Paid) -> None:
    org, key = new_id("org"), new_id("key")
    paid.api.failures += [500, 429, 401]
    waits = []
    for _ in range(3):
        with pytest.raises(Unavailable, match="payment_provider_failed") as refusal:
            await paid.top_up(org, key=key)
        waits.append(refusal.value.retry_after)
    assert waits == [None, 7.0, None]
    made = await paid.top_up(org, key=key)
    assert made.top_up.payment_url
    assert {form["client_reference_id"] for form in paid.api.requests[-4:]} == {made.top_up.id}


async def test_an_amount_that_stripe_does_not_take_is_pointed_at(paid: Paid) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await paid.top_up(new_id("org"), 490_000)
    assert [item.pointer for item in refusal.value.violations] == ["#/amount"]


@pytest.mark.parametrize(
    "wrong",
    [{"amount_total": 999}, {"amount_total": 100_000}, {"currency": "eur"}, {"client_reference_id": "top_other"}],
    ids=str,
)
async def test_a_payment_of_another_amount_or_top_up_credits_nothing(paid: Paid, wrong: dict[str, Any]) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.pay(top_up.id, **wrong)
    assert await paid.posted(org) == 0
    assert await paid.status(org, top_up.id) == ("pending", 0)


async def test_a_payment_of_one_organization_credits_no_other(paid: Paid) -> None:
    ours, theirs = new_id("org"), new_id("org")
    first, second = (await paid.top_up(ours)).top_up, (await paid.top_up(theirs)).top_up
    # The checkout of one, named as the top-up of the other: neither is what was paid.
    await paid.pay(first.id, client_reference_id=second.id)
    assert [await paid.posted(org) for org in (ours, theirs)] == [0, 0]
    with pytest.raises(NotFound, match="top_up_not_found"):
        await paid.status(theirs, first.id)


@pytest.mark.parametrize("fields", [{"account": "acct_other"}, {"livemode": True}], ids=str)
async def test_an_event_of_another_account_or_mode_is_ignored(paid: Paid, fields: dict[str, Any]) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    assert await paid.hear(event("checkout.session.completed", paid.api.paid(top_up.id), **fields)) is False
    assert await paid.posted(org) == 0


async def test_unknown_events_and_payments_are_taken_and_change_nothing(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    stranger = {**paid.api.paid(top_up.id), "id": "cs_test_unknown"}
    for kind, thing in (
        ("invoice.paid", {"id": "in_1"}),
        ("checkout.session.completed", stranger),
        ("charge.refunded", {"id": "ch_1", "payment_intent": None, "amount_refunded": 5, "currency": "usd"}),
    ):
        assert await paid.hear(event(kind, thing)) is False
    assert await paid.posted(org) == 0


@pytest.mark.parametrize(
    ("secret", "age"), [("whsec_wrong", 0), (WEBHOOK_SECRET, 301), (WEBHOOK_SECRET, -310)], ids=str
)
async def test_a_notice_that_is_not_stripes_or_not_of_now_is_refused(paid: Paid, secret: str, age: int) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    body = event("checkout.session.completed", paid.api.paid(top_up.id))
    with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
        await paid.hear(body, signature(body, secret=secret, at=time.time() - age))
    assert await paid.posted(org) == 0


async def test_a_signature_holds_for_its_bytes_alone(paid: Paid) -> None:
    top_up = (await paid.top_up(new_id("org"))).top_up
    body = event("checkout.session.completed", paid.api.paid(top_up.id))
    good = signature(body)
    for header in ("", "t=1", good.replace("v1=", "v0="), good + f",t={int(time.time())}", good.upper()):
        with pytest.raises(Unauthenticated):
            await paid.hear(body, header)
    with pytest.raises(Unauthenticated):
        await paid.hear(body.replace(b"1000", b"9000"), good)
    # Stripe signs with both secrets while one is replaced.
    assert await paid.hear(body, signature(body, secret="whsec_other") + "," + good.split(",")[1]) is False


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"id": 1, "type": "x"}', event("refund.created", {"id": "re"}), b"[" * 100_000],
    ids=lambda body: str(body[:12]),
)
async def test_a_signed_body_that_cannot_be_read_is_refused(paid: Paid, body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        await paid.hear(body)


async def test_a_delayed_payment_settles_when_the_bank_answered(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.pay(top_up.id, payment_status="unpaid")
    assert await paid.status(org, top_up.id) == ("pending", 0)
    await paid.hear(event("checkout.session.async_payment_failed", paid.api.session_of(top_up.id)))
    assert await paid.status(org, top_up.id) == ("failed", 0)
    assert await paid.posted(org) == 0


async def test_a_payment_counts_although_its_checkout_was_said_to_have_expired(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.hear(event("checkout.session.expired", paid.api.session_of(top_up.id)))
    assert await paid.status(org, top_up.id) == ("expired", 0)
    await paid.pay(top_up.id)
    await paid.hear(event("checkout.session.expired", paid.api.session_of(top_up.id), created=5))
    assert await paid.status(org, top_up.id) == ("settled", 0)


async def test_refunds_and_disputes_lead_to_the_same_books_in_every_order(paid: Paid) -> None:
    """A payment of 10.00, refunds of 1.00 and of 2.00 that failed, and a dispute of 4.00 that is open."""
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 7):
        org = new_id("org")
        top_up = (await paid.top_up(org)).top_up
        told = [
            event("checkout.session.completed", paid.api.paid(top_up.id), created=100),
            event("refund.created", paid.refund(top_up.id, 100), created=101),
            event("refund.created", paid.refund(top_up.id, 200, "re_2", "pending"), created=102),
            event("refund.failed", paid.refund(top_up.id, 200, "re_2", "failed"), created=103),
            event("charge.dispute.created", paid.dispute(top_up.id, "needs_response", 400), created=104),
        ]
        for index in order:
            await paid.hear(told[index])
        assert await paid.status(org, top_up.id) == ("settled", 5_000_000), order
        assert await paid.posted(org) == TEN - 5_000_000, order


async def test_a_dispute_takes_all_back_and_gives_it_again_when_it_is_won(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.pay(top_up.id)
    await paid.hear(event("charge.dispute.created", paid.dispute(top_up.id, "needs_response"), created=200))
    assert await paid.status(org, top_up.id) == ("reversed", TEN)
    assert await paid.posted(org) == 0
    await paid.hear(event("charge.dispute.closed", paid.dispute(top_up.id, "won"), created=201))
    assert await paid.status(org, top_up.id) == ("settled", 0)
    assert [entry.amount_micros for entry in await paid.billing.ledger(org)] == [TEN, -TEN, TEN, GRANT]


async def test_a_refund_is_not_counted_twice_when_its_charge_tells_it_too(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.pay(top_up.id)
    charge = {**paid.refund(top_up.id, 0, "ch_1"), "amount_refunded": 300}
    await paid.hear(event("charge.refunded", charge))
    assert await paid.posted(org) == TEN - 3_000_000
    await paid.hear(event("refund.created", paid.refund(top_up.id, 300)))
    assert await paid.posted(org) == TEN - 3_000_000


async def test_more_is_never_taken_back_than_was_paid(paid: Paid) -> None:
    org = new_id("org")
    top_up = (await paid.top_up(org)).top_up
    await paid.pay(top_up.id)
    await paid.hear(event("refund.created", paid.refund(top_up.id, 1_000)))
    await paid.hear(event("charge.dispute.created", paid.dispute(top_up.id, "lost")))
    assert await paid.posted(org) == 0
    assert await paid.billing.topics(org) == ["credit.topped_up"]


async def test_unpaid_top_ups_have_a_bound(paid: Paid) -> None:
    limit = next(quota.limit for quota in QUOTAS["billing"] if quota.name == "pending_top_ups")
    org = new_id("org")
    made = [await paid.top_up(org) for _ in range(limit)]
    with pytest.raises(FailedPrecondition, match="quota_reached") as refusal:
        await paid.top_up(org)
    assert refusal.value.metadata == {"quota": "pending_top_ups", "limit": str(limit)}
    await paid.pay(made[0].top_up.id)
    assert (await paid.top_up(org)).top_up.status == "pending"


async def test_without_a_provider_nothing_is_sold(billing: Billing) -> None:
    servicer, org = with_provider(billing, None), new_id("org")
    with as_org(org, key=new_id("key")), pytest.raises(Unimplemented, match="payments_not_configured"):
        await servicer.CreateTopUp(billing_pb2.CreateTopUpRequest(), None)
    with serving(CallContext(), GATEWAY), pytest.raises(Unimplemented, match="payments_not_configured"):
        await servicer.ReceivePaymentWebhook(billing_pb2.ReceivePaymentWebhookRequest(provider="stripe"), None)
    assert (await billing.balance(org)).posted_micros == GRANT


async def test_no_one_but_the_gateway_passes_notices_on(paid: Paid) -> None:
    with as_org(new_id("org")), pytest.raises(PermissionDenied, match="gateway_only"):
        await paid.servicer.ReceivePaymentWebhook(billing_pb2.ReceivePaymentWebhookRequest(provider="stripe"), None)


def grant(org: str, micros: int = TEN, reason: str = "Goodwill") -> billing_pb2.GrantCreditRequest:
    amount = common_pb2.Money(micros=micros, currency="USD")
    return billing_pb2.GrantCreditRequest(organization_id=org, amount=amount, reason=reason)


async def test_operators_grant_credit_once_and_leave_a_trace(billing: Billing) -> None:
    operator, org, key = new_id("org"), new_id("org"), new_id("key")
    await billing.balance(org)
    servicer = with_provider(billing, None, operator)
    with as_org(operator, key=key, fingerprint="f"):
        first = await servicer.GrantCredit(grant(org), None)
    with as_org(operator, key=key, fingerprint="f"):
        assert await servicer.GrantCredit(grant(org), None) == first
    assert (first.entry.type, first.entry.description) == ("grant", "Goodwill")
    assert (await billing.balance(org)).posted_micros == GRANT + TEN
    columns = "g.granted_by_org, g.granted_by_user, g.reason, g.ledger_entry_id"
    sql = f"select {columns} from credit_grant g where g.org_id = $1"
    (row,) = await billing.database.system_fetch(sql, org)
    assert tuple(row.values()) == (operator, "usr_1", "Goodwill", first.entry.id)
    assert await billing.topics(org) == ["credit.topped_up"]


async def test_what_is_no_grant_of_an_operator_is_refused(billing: Billing) -> None:
    operator, org = new_id("org"), new_id("org")
    await billing.balance(org)
    servicer = with_provider(billing, None, operator)

    async def refused(kind: type[AppError], who: str, request: billing_pb2.GrantCreditRequest, **call: Any) -> None:
        with as_org(who, **{"key": new_id("key"), **call}), pytest.raises(kind):
            await servicer.GrantCredit(request, None)

    await refused(PermissionDenied, org, grant(org))
    # An agency of the operator, in the operator's organization.
    await refused(PermissionDenied, operator, grant(org), home=new_id("org"))
    await refused(PermissionDenied, operator, grant(org), scopes=("billing:write",))
    await refused(NotFound, operator, grant(new_id("org")))
    await refused(InvalidArgument, operator, grant(org), key="")
    await refused(InvalidArgument, operator, grant(org, -TEN))
    await refused(InvalidArgument, operator, grant(org, reason=" "))
    assert (await billing.balance(org)).posted_micros == GRANT

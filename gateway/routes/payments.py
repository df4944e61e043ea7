"""Money coming in: top-ups, the payment provider's webhook, and credit that operators grant."""

from starlette.responses import Response

from echosenseix.billing.v1 import billing_pb2 as pb
from echosenseix.common.v1 import common_pb2
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import micros_from_json
from gateway.schemas.calls import Received
from gateway.schemas.payments import CreditBody, CreditGrant, TopUp, TopUpBody, grant_from_proto, top_up_from_proto
from gateway.state import ApiRequest
from libs.errors import InvalidArgument, Violation

# The payment provider is asked within 10 s.
_TOP_UP_SECONDS = 15.0
# Bytes of a payment provider's notice. Larger: more memory before its signature is checked.
_NOTICE_LIMIT = 512 * 1024


async def create_top_up(request: ApiRequest[NoQuery, TopUpBody]) -> Response:
    amount = _money(request.data.amount, request.data.currency)
    answer = await request.app.clients.billing.CreateTopUp(pb.CreateTopUpRequest(amount=amount))
    return responses.created(top_up_from_proto(answer), f"/api/billing/top-ups/{answer.top_up.id}")


async def get_top_up(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.GetTopUp(pb.GetTopUpRequest(id=request.path_params["id"]))
    return responses.ok(top_up_from_proto(answer))


async def grant_credit(request: ApiRequest[NoQuery, CreditBody]) -> Response:
    answer = await request.app.clients.billing.GrantCredit(
        pb.GrantCreditRequest(
            organization_id=request.path_params["id"],
            amount=_money(request.data.amount, request.data.currency),
            reason=request.data.reason,
        )
    )
    return responses.ok(grant_from_proto(answer), 201)


async def receive_stripe(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ReceivePaymentWebhook(
        pb.ReceivePaymentWebhookRequest(
            # The raw bytes: the signature is over them, and any parsing could change them.
            provider="stripe",
            signature=request.header("stripe-signature"),
            body=await request.body(),
        )
    )
    return responses.ok(Received(received=True, duplicate=answer.duplicate))


def _money(amount: str, currency: str) -> common_pb2.Money:
    try:
        return common_pb2.Money(micros=micros_from_json(amount), currency=currency)
    # Floats are refused too: a JSON number cannot hold every amount.
    except ValueError:
        detail = "Send a decimal string such as 10.00, with at most six decimals."
        violations = [Violation("#/amount", "invalid_value", detail)]
        raise InvalidArgument("validation_failed", detail, violations=violations) from None


_AMOUNT = {"amount": "10.00", "currency": "USD"}

ROUTES = (
    *tagged(
        "Billing",
        Route(
            "POST",
            "/api/billing/top-ups",
            create_top_up,
            "Add credit (Idempotency-Key required)",
            key_required=True,
            scope="billing:write",
            body=TopUpBody,
            example=_AMOUNT,
            answer=TopUp,
            status=201,
            problems=(501, 502),
            seconds=_TOP_UP_SECONDS,
        ),
        Route("GET", "/api/billing/top-ups/{id}", get_top_up, "Read a top-up", scope="billing:read", answer=TopUp),
    ),
    *tagged(
        "Operations",
        Route(
            "POST",
            "/api/admin/organizations/{id}/credits",
            grant_credit,
            "Grant credit, for the platform's own organization (Idempotency-Key required)",
            key_required=True,
            scope="*",
            body=CreditBody,
            example={**_AMOUNT, "reason": "Goodwill after an outage"},
            answer=CreditGrant,
            status=201,
            has_location=False,
        ),
    ),
    *tagged(
        "Webhooks in",
        Route(
            "POST",
            "/api/webhooks/stripe",
            receive_stripe,
            "Receive a notice of Stripe",
            public=True,
            limits="webhook",
            body_kind="raw",
            repeatable=True,
            keyed=False,
            body_limit=_NOTICE_LIMIT,
            answer=Received,
            problems=(401, 501),
        ),
    ),
)

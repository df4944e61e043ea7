"""Stripe: a Checkout Session for each top-up, and its signed webhooks.

Sources: https://docs.stripe.com/api (form-encoded requests, Idempotency-Key, Checkout Sessions, Refunds, Disputes) and
https://docs.stripe.com/webhooks (Stripe-Signature "t=<unix s>,v1=<hex HMAC-SHA256(secret, "<t>.<raw body>")>").
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from libs.clock import utcnow
from libs.crypto import constant_time_equal, hmac_sha256_hex
from libs.errors import InvalidArgument, Unauthenticated, Unavailable, Violation
from libs.http.client import Answer, OutboundClient
from libs.http.retry_after import retry_after_seconds
from services.billing.domain.payments import (
    CheckoutChange,
    CheckoutOutcome,
    Notice,
    ReversalChange,
    ReversalKind,
    TopUp,
)
from services.billing.payments.interface import Checkout

# The shapes that this module reads are those of this version.
API_VERSION = "2025-03-31.basil"
# Seconds between signing and arrival: the tolerance of Stripe's SDKs. Longer: a captured notice can be sent again for
# longer.
TOLERANCE_SECONDS = 300
# Within the gateway's 15 s for a top-up.
_SECONDS = 10.0
_TIMESTAMP = re.compile(r"t=(\d{1,12})", re.ASCII)
_DIGEST = re.compile(r"v1=([0-9a-f]{64})", re.ASCII)
# Characters of the signature header; longer ones are refused unread.
_HEADER_MAX = 1_000
_CHECKOUTS = {
    "checkout.session.completed": CheckoutOutcome.PAID,
    "checkout.session.async_payment_succeeded": CheckoutOutcome.PAID,
    "checkout.session.async_payment_failed": CheckoutOutcome.FAILED,
    "checkout.session.expired": CheckoutOutcome.EXPIRED,
}
# Every event that carries a refund as it stands now; Stripe sends several of them for one change.
_REFUNDS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
_FAILED_REFUNDS = ("failed", "canceled")
# An inquiry ("warning_…") takes no money; a dispute that was won or prevented gives it back.
_HARMLESS_DISPUTES = ("won", "prevented", "warning_needs_response", "warning_under_review", "warning_closed")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """`webhook_secrets` verify one after the other, so that one can be replaced; `return_url` is where the customer
    comes back to."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_url: str = "https://api.stripe.com"
    return_url: str = ""

    @property
    def is_live(self) -> bool:
        """Test keys are "sk_test_…" and "rk_test_…"."""
        return "_test_" not in self.secret_key


class Stripe:
    name = "stripe"

    def __init__(self, account: StripeAccount, client: OutboundClient) -> None:
        self._account = account
        self._client = client

    async def open_checkout(self, top_up: TopUp) -> Checkout:
        account = self._account
        answer = await self._client.request(
            "POST",
            f"{account.api_url}/v1/checkout/sessions",
            content=urlencode(_session(top_up, account.return_url)).encode(),
            headers={
                "authorization": f"Bearer {account.secret_key}",
                "content-type": "application/x-www-form-urlencoded",
                # A repeated request gets the session of the first one, so a customer never pays twice.
                "idempotency-key": top_up.id,
                "stripe-version": API_VERSION,
            },
            timeout=_SECONDS,
        )
        if answer.status_code != 200:
            raise _refusal(answer)
        session = _object(answer.content)
        checkout, url = session.get("id"), session.get("url")
        if not isinstance(checkout, str) or not isinstance(url, str) or not checkout or not url:
            raise Unavailable("payment_provider_failed", "The payment provider's answer could not be read.")
        return Checkout(checkout, url)

    def read_webhook(self, signature: str, body: bytes, now: datetime) -> Notice:
        self._verify(signature, body, now)
        event = _object(body)
        event_id, kind = event.get("id"), event.get("type")
        if not isinstance(event_id, str) or not isinstance(kind, str) or not event_id:
            raise _unreadable()
        # An event of a connected account or of the other mode is genuine and not about our money.
        if event.get("account") or event.get("livemode") is not self._account.is_live:
            return Notice(event_id, kind)
        try:
            return Notice(event_id, kind, _change(kind, event["data"]["object"], event["created"]))
        except (KeyError, TypeError, ValueError):
            raise _unreadable() from None

    def _verify(self, signature: str, body: bytes, now: datetime) -> None:
        parts = [part.strip() for part in signature[:_HEADER_MAX].split(",")]
        stamps = [match[1] for part in parts if (match := _TIMESTAMP.fullmatch(part))]
        digests = [match[1] for part in parts if (match := _DIGEST.fullmatch(part))]
        is_timely = len(stamps) == 1 and abs(now.timestamp() - int(stamps[0])) <= TOLERANCE_SECONDS
        expected = [
            hmac_sha256_hex(secret.encode(), (stamps[0].encode(), b".", body))
            for secret in self._account.webhook_secrets
            if is_timely
        ]
        # The list is built before any(), so that the time does not depend on which pair matches.
        matches = [constant_time_equal(ours, theirs) for ours in expected for theirs in digests]
        if not any(matches):
            raise Unauthenticated("webhook_signature_invalid", "The signature is missing, wrong or too far from now.")


def _session(top_up: TopUp, return_url: str) -> dict[str, Any]:
    separator = "&" if "?" in return_url else "?"
    return {
        "mode": "payment",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": top_up.currency.lower(),
        "line_items[0][price_data][unit_amount]": top_up.amount_minor,
        "line_items[0][price_data][product_data][name]": "Credit",
        "client_reference_id": top_up.id,
        "metadata[top_up_id]": top_up.id,
        "metadata[organization_id]": top_up.org_id,
        "payment_intent_data[metadata][top_up_id]": top_up.id,
        "success_url": f"{return_url}{separator}topUp={top_up.id}",
        "cancel_url": f"{return_url}{separator}topUp={top_up.id}",
    }


def _change(kind: str, thing: dict[str, Any], created: int) -> CheckoutChange | ReversalChange | None:
    if kind in _CHECKOUTS:
        return _checkout(_CHECKOUTS[kind], thing)
    if kind in _REFUNDS:
        return _reversal(thing, ReversalKind.REFUND, "amount", thing["status"] not in _FAILED_REFUNDS, created)
    if kind == "charge.refunded":
        return _reversal(thing, ReversalKind.REFUND_TOTAL, "amount_refunded", True, created)
    # Funds are taken at the start of a dispute, so it counts until it is won.
    if kind.startswith("charge.dispute."):
        return _reversal(thing, ReversalKind.DISPUTE, "amount", thing["status"] not in _HARMLESS_DISPUTES, created)
    return None


def _checkout(outcome: CheckoutOutcome, session: dict[str, Any]) -> CheckoutChange | None:
    # A session that is completed and not paid waits for a bank; its own event tells how that ended.
    if outcome is CheckoutOutcome.PAID and session["payment_status"] != "paid":
        return None
    return CheckoutChange(
        checkout_id=_text(session["id"]),
        top_up_id=_text(session.get("client_reference_id") or ""),
        outcome=outcome,
        amount_minor=_whole(session["amount_total"]),
        currency=_text(session["currency"]).upper(),
        payment_ref=_text(session.get("payment_intent") or ""),
    )


def _reversal(
    thing: dict[str, Any], kind: ReversalKind, amount: str, stands: bool, created: int
) -> ReversalChange | None:
    payment = thing.get("payment_intent")
    if not payment:
        return None  # of a charge without a Checkout Session, so none of ours
    return ReversalChange(
        id=_text(thing["id"]),
        kind=kind,
        payment_ref=_text(payment),
        amount_minor=_whole(thing[amount]),
        currency=_text(thing["currency"]).upper(),
        stands=stands,
        told_at=_whole(created),
    )


def _refusal(answer: Answer) -> InvalidArgument | Unavailable:
    """Stripe's refusal. Its message may name the account, so it goes nowhere."""
    error = _object(answer.content).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if answer.status_code == 400 and code in ("amount_too_small", "amount_too_large"):
        detail = "The payment provider does not take this amount."
        violations = [Violation("#/amount", "out_of_range", detail)]
        return InvalidArgument("validation_failed", "Some fields break a rule.", violations=violations)
    logger.error("Stripe refused a checkout: status %d", answer.status_code)
    wait = retry_after_seconds(answer.headers, utcnow())
    return Unavailable("payment_provider_failed", "The payment provider failed. Try again.", retry_after=wait)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(document, dict):
        raise _unreadable()
    return document


def _unreadable() -> InvalidArgument:
    return InvalidArgument("webhook_payload_invalid", "The body is not a notice of the payment provider.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise TypeError("not a text")
    return value


def _whole(value: Any) -> int:
    # A bool is an int in Python, and a float loses cents.
    if type(value) is not int or not 0 <= value < 2**53:
        raise TypeError("not an amount")
    return value

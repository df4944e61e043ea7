"""Payments that are settled at once and cost nothing: for ENVIRONMENT=local alone (services.billing.config)."""

from __future__ import annotations

from datetime import datetime

from libs.errors import Unauthenticated
from services.billing.domain.payments import CheckoutChange, CheckoutOutcome, Notice, TopUp
from services.billing.payments.interface import Checkout


class LocalPayments:
    name = "test"

    async def open_checkout(self, top_up: TopUp) -> Checkout:
        paid = CheckoutChange(
            checkout_id=top_up.id,
            top_up_id=top_up.id,
            outcome=CheckoutOutcome.PAID,
            amount_minor=top_up.amount_minor,
            currency=top_up.currency,
            payment_ref=top_up.id,
        )
        # No page to pay at: the notice settles the top-up in the same request.
        return Checkout(top_up.id, "", Notice(top_up.id, "test.paid", paid))

    def read_webhook(self, signature: str, body: bytes, now: datetime) -> Notice:
        raise Unauthenticated("webhook_signature_invalid", "This provider sends no webhooks.")

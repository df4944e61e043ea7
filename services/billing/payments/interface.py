"""What billing asks of a payment provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.billing.domain.payments import Notice, TopUp


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where a customer pays. `notice` is set by a provider that was paid at once."""

    id: str
    url: str
    notice: Notice | None = None


class PaymentProvider(Protocol):
    """One account at a provider."""

    @property
    def name(self) -> str:
        """Kept with each top-up."""

    async def open_checkout(self, top_up: TopUp) -> Checkout:
        """The same checkout however often it is asked for one top-up. Unavailable("payment_provider_failed"), or
        InvalidArgument for an amount that the provider does not take."""

    def read_webhook(self, signature: str, body: bytes, now: datetime) -> Notice:
        """The notice in a webhook. Unauthenticated("webhook_signature_invalid") for one that is not the provider's,
        InvalidArgument("webhook_payload_invalid") for one that cannot be read."""

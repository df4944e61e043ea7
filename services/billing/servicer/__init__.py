"""The gRPC methods of billing."""

from __future__ import annotations

from .books import BillingServicer
from .payments import PaymentParts

__all__ = ["BillingServicer", "PaymentParts"]

"""The gRPC methods of billing."""

from .books import BillingServicer
from .payments import PaymentParts

__all__ = ["BillingServicer", "PaymentParts"]

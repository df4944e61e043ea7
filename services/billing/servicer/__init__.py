"""The gRPC methods of billing."""

from .books import BillingServicer

__all__ = ["BillingServicer"]

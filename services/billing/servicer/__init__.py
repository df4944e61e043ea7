"""The gRPC doors of billing."""

from .books import BillingServicer

__all__ = ["BillingServicer"]

"""Payment providers: open a checkout, and read the notices that say what became of it.

A provider knows neither the ledger nor the database.
"""

from .interface import Checkout, PaymentProvider
from .local import LocalPayments
from .stripe import Stripe, StripeAccount

__all__ = ["Checkout", "LocalPayments", "PaymentProvider", "Stripe", "StripeAccount"]

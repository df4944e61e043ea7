"""Billing's settings."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, setting
from libs.urls import HTTP
from suite.services import CALLLOG


@dataclass(frozen=True, slots=True)
class BillingSettings(ServiceSettings):
    calllog_grpc: str = setting(CALLLOG.address_setting, CALLLOG.local_address, help="host:port, comma list")
    plan: str = setting("BILLING_PLAN", "plan_standard", help="plan of a new organization")
    trial_grant_micros: int = setting("TRIAL_GRANT_MICROS", 10_000_000, help="credit of a new organization, millionths")
    low_credit_micros: int = setting("LOW_CREDIT_MICROS", 2_000_000, help="credit.low is told below this")
    payments: str | None = setting(
        "PAYMENTS", None, help="stripe, test (settles at once; local only) or none; default: test locally, else none"
    )
    stripe_secret_key: str = setting("STRIPE_SECRET_KEY", "", secret=True, help="sk_… or rk_…")
    stripe_webhook_secrets: tuple[str, ...] = setting(
        "STRIPE_WEBHOOK_SECRETS", (), secret=True, help="whsec_…, comma list, each verifies"
    )
    stripe_api_url: str = setting(
        "STRIPE_API_URL", "https://api.stripe.com", url=HTTP, help="another address of Stripe's API, for tests"
    )
    payment_return_url: str | None = setting(
        "PAYMENT_RETURN_URL",
        None,
        url=HTTP,
        help="the page to which customers come back from the payment; ?topUp=<id> is added",
    )
    operator_organizations: tuple[str, ...] = setting(
        "OPERATOR_ORGANIZATIONS",
        (),
        help="ids that may grant credit, comma list; locally the first organization",
    )
    outbound_allow: tuple[str, ...] = setting("OUTBOUND_ALLOW", (), help="host:port exceptions of the address guard")

    @property
    def payment_provider(self) -> str:
        """stripe, test or none."""
        return self.payments or ("none" if self.production else "test")

    def problems(self) -> list[str]:
        found = ServiceSettings.problems(self)
        if self.payments not in (None, "stripe", "test", "none"):
            found.append("PAYMENTS must be stripe, test or none")
        # It would credit any amount that a customer names.
        if self.payments == "test" and self.production:
            found.append("PAYMENTS=test credits without a payment and is for ENVIRONMENT=local only")
        if self.payments == "stripe" and not (
            self.stripe_secret_key and self.stripe_webhook_secrets and self.payment_return_url
        ):
            found.append("PAYMENTS=stripe needs STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS and PAYMENT_RETURN_URL")
        return found

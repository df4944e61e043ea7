"""What billing refuses to start with."""

from __future__ import annotations

import pytest

from libs.config import ConfigError, load
from services.billing.config import BillingSettings

STRIPE = {
    "PAYMENTS": "stripe",
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_2",
    "PAYMENT_RETURN_URL": "https://app.example.com",
}


@pytest.mark.parametrize(
    ("environ", "provider"),
    [
        ({}, "test"),
        ({"ENVIRONMENT": "production"}, "none"),
        ({"PAYMENTS": "none"}, "none"),
        ({"ENVIRONMENT": "production", **STRIPE}, "stripe"),
    ],
)
def test_the_test_provider_is_for_local_use_only(environ: dict[str, str], provider: str) -> None:
    assert load(BillingSettings, environ).payment_provider == provider


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ENVIRONMENT": "production", "PAYMENTS": "test"}, "ENVIRONMENT=local only"),
        ({"PAYMENTS": "paypal"}, "stripe, test or none"),
        *(({**STRIPE, name: ""}, "PAYMENTS=stripe needs") for name in STRIPE if name != "PAYMENTS"),
    ],
)
def test_payments_that_cannot_work_are_refused_at_the_start(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(BillingSettings, environ)


def test_keys_of_the_provider_stay_out_of_sight() -> None:
    shown = repr(load(BillingSettings, STRIPE))
    assert "sk_live_1" not in shown
    assert "whsec_1" not in shown

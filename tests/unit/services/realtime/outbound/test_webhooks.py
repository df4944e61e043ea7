"""Signatures that the standardwebhooks library verifies."""

import datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.realtime.outbound.webhooks import signed_headers

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32


def test_the_specifications_vector() -> None:
    when = datetime.datetime.fromtimestamp(1614265330, datetime.UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [SECRET], when)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_rotation_overlaps_both_secrets_verify_and_a_third_does_not() -> None:
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers("msg_1", b'{"a":1}', [SECRET, OTHER], now)
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(b'{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "B" * 32).verify(b'{"a":1}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b'{"a":2}', headers)

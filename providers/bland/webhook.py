"""`X-Webhook-Signature: <hex HMAC-SHA256(webhook signing secret, raw body)>`.

Source: docs.bland.ai, "Webhook Signing". The signature contains no time, so an old delivery stays valid. A replay
changes nothing, because a call is kept once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from libs.crypto import constant_time_equal, hmac_sha256_hex

SIGNATURE = "x-webhook-signature"


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: Iterable[bytes], now: datetime) -> bool:
    given = headers.get(SIGNATURE, "").lower()
    # The list is built before any(), so that the time does not depend on which secret matches.
    matches = [constant_time_equal(hmac_sha256_hex(secret.encode(), body), given) for secret in secrets]
    return any(matches)

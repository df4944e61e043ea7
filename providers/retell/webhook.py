"""`X-Retell-Signature: v=<unix ms>,d=<hex HMAC-SHA256(api key, raw body + ms)>`, five minutes both ways.

Source: the official `retell-sdk` (lib/webhook_auth). Retell signs with the API key and has no webhook secret.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from libs.crypto import constant_time_equal, hmac_sha256_hex
from providers.interface.credentials import Credentials, WebhookSecret

SIGNATURE = "x-retell-signature"
# Milliseconds between signing and arrival: the tolerance of the official SDK.
TOLERANCE_MS = 5 * 60 * 1000
_HEADER = re.compile(r"v=(\d{1,15}),d=([0-9a-fA-F]{64})", re.ASCII)


def secrets(credentials: Credentials) -> tuple[WebhookSecret, ...]:
    """The API key."""
    return (WebhookSecret(credentials.api_key),) if credentials.api_key else ()


def verify(keys: Sequence[str], headers: Mapping[str, str], body: Iterable[bytes], now: datetime) -> bool:
    parts = _HEADER.fullmatch(headers.get(SIGNATURE, "").strip())
    if parts is None or abs(now.timestamp() * 1000 - int(parts[1])) > TOLERANCE_MS:
        return False
    signed = [hmac_sha256_hex(key.encode(), chain(body, (parts[1].encode(),))) for key in keys]
    # The list is built before any(), so that the time does not depend on which key matches.
    matches = [constant_time_equal(digest, parts[2].lower()) for digest in signed]
    return any(matches)

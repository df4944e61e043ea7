"""`X-Retell-Signature: v=<unix ms>,d=<hex HMAC-SHA256(api key, raw body + ms)>`, five minutes both ways.

Source: the official `retell-sdk` (lib/webhook_auth). Retell signs with the API key and has no webhook secret.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from libs.crypto import constant_time_equal, hmac_sha256_hex
from providers.interface.credentials import Credentials

SIGNATURE = "x-retell-signature"
# Milliseconds between signing and arrival: the tolerance of the official SDK.
TOLERANCE_MS = 5 * 60 * 1000
_HEADER = re.compile(r"v=(\d{1,15}),d=([0-9a-fA-F]{64})", re.ASCII)


def verify(credentials: Credentials, headers: Mapping[str, str], body: bytes, now: datetime) -> bool | None:
    if not credentials.api_key:
        return None
    parts = _HEADER.fullmatch(headers.get(SIGNATURE, "").strip())
    if parts is None or abs(now.timestamp() * 1000 - int(parts[1])) > TOLERANCE_MS:
        return False
    expected = hmac_sha256_hex(credentials.api_key.encode(), body, parts[1].encode())
    return constant_time_equal(expected, parts[2].lower())

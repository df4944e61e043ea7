"""The Idempotency-Key, and the fingerprint that tells whether two requests under one key are the same request.

The fingerprint is keyed, because it is kept for a day and a body may hold a password: a thief of the table could guess
the password from an unkeyed hash. The bytes of an upload are unknown when the call begins, so its fingerprint covers
method and path. The knowledge service, which has read the file and the form's fields by the end, adds both.
"""

import re
from typing import Any

from gateway.http.request import Request
from libs.errors import invalid_parameter
from libs.keys import MacKeys, mac_keys

KEY_PATTERN = "[!-~]{1,255}"
_KEY = re.compile(KEY_PATTERN)


class Fingerprints:
    """HMAC-SHA-256 under secrets that all gateways share."""

    def __init__(self, secret: bytes | MacKeys) -> None:
        self._keys = mac_keys(secret).for_purpose(b"idempotency fingerprints")

    def of(self, method: str, path: str, body: bytes = b"") -> str:
        """The fingerprint that goes with the key, 64 hex digits. While a secret is replaced, one by each secret with
        commas between them: the first is stored, and any of them recognizes a request of before."""
        parts = (method.encode(), path.encode(), body)
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return ",".join(made.hex() for made in self._keys.signatures(message))


def idempotency_key(request: Request[Any, Any, Any]) -> str:
    """The key, or the empty string without one."""
    key = request.header("idempotency-key")
    if request.has_header("idempotency-key") and not _KEY.fullmatch(key):
        detail = "Send 1 to 255 visible ASCII characters as Idempotency-Key."
        raise invalid_parameter("Idempotency-Key", detail, "invalid_idempotency_key")
    return key

"""What makes two requests under one Idempotency-Key the same request: method, path and the bytes of the body. Pure.

The fingerprint is keyed: it is kept for a day, and a body may hold a password that an unkeyed hash would let a thief of
the table guess. Of an upload the bytes are not known when the call begins, so method and path must do here; knowledge,
which has seen the file and the form's words by the end, adds both to the fingerprint before it compares.
"""

import hashlib
import hmac


class Fingerprints:
    """HMAC-SHA-256 under a secret that all gateways share."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"idempotency fingerprints", "sha256")

    def of(self, method: str, path: str, body: bytes = b"") -> str:
        """The fingerprint that goes with the key, 64 hex digits."""
        keyed = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (method.encode(), path.encode(), body):
            keyed.update(len(part).to_bytes(8, "big") + part)
        return keyed.hexdigest()

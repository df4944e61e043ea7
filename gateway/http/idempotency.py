"""What makes two requests under one Idempotency-Key the same request: method, path and the bytes of the body. Pure.

Of an upload the bytes are not known when the call begins, so method and path must do here; knowledge, which has seen
the file and the form's words by the end, adds both to the fingerprint before it compares.
"""

import hashlib


def fingerprint(method: str, path: str, body: bytes = b"") -> str:
    """The fingerprint that goes with the key."""
    parts = (method.encode(), path.encode(), body)
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.sha256(framed).hexdigest()

"""What makes two requests under one Idempotency-Key the same request. Pure.

Of a body: its bytes, with method and path. Of an upload, whose bytes are not known when the call begins: the file's
name and media type and the announced length of the whole form; its boundary is left out, for it differs each time.
"""

import hashlib


def body_fingerprint(method: str, path: str, body: bytes) -> str:
    """Of a request whose body is at hand."""
    return _digest(method.encode(), path.encode(), body)


def upload_fingerprint(path: str, file_name: str, media_type: str, content_length: str) -> str:
    """Of a form whose file still streams."""
    return _digest(b"POST", path.encode(), file_name.encode(), media_type.encode(), content_length.encode())


def _digest(*parts: bytes) -> str:
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.sha256(framed).hexdigest()

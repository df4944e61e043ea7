"""Masks tokens in what a provider delivered, before it is stored: values of fields with a secret's name, and texts with
a token's shape. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any

MASK = "[redacted]"
# Levels of nesting that are looked into; what lies deeper is masked as a whole.
_MAX_DEPTH = 50
_NAME = re.compile(
    r"passw|secret|credential|authori[sz]ation|cookie|signature|api[-_]?key|private[-_]?key|jwt|token$", re.IGNORECASE
)
_SHAPE = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\b(?:whsec|wsec|sk|rk|esx)_[A-Za-z0-9+/=_-]{16,}")
# Texts, in lower case, of which a body has at least one if it may hold either of them. Other bodies are stored as they
# came, without another parse.
_SUSPECT = (
    b"passw", b"secret", b"credential", b"authori", b"cookie", b"signature", b"apikey",
    b"api-key", b"api_key", b"privatekey", b"private-key", b"private_key", b"jwt", b'token"', b"token\\", b"eyj",
    b"wsec_", b"whsec_", b"sk_", b"rk_", b"esx_",
    b"\\u002", b"\\u003", b"\\u004", b"\\u005", b"\\u006", b"\\u007",  # such a text written as escapes
)  # fmt: skip


def masked(body: bytes) -> bytes:
    """The JSON document with its tokens masked; the same bytes when there are none."""
    lowered = body.lower()
    if not any(text in lowered for text in _SUSPECT):
        return body
    document = json.loads(body)
    clean = _masked(document, 0)
    return body if clean == document else json.dumps(clean, separators=(",", ":")).encode()


def _masked(value: Any, depth: int, *, secret: bool = False) -> Any:
    if depth > _MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {
            name: _masked(item, depth + 1, secret=secret or _NAME.search(name) is not None)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, depth + 1, secret=secret) for item in value]
    if not isinstance(value, str):
        return value
    return MASK if secret and value else _text(value, depth)


def _text(text: str, depth: int) -> str:
    """Providers put JSON into text fields: arguments and results of tools."""
    if text[:1] in ("{", "["):
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            return _SHAPE.sub(MASK, text)
        clean = _masked(inner, depth + 1)
        return text if clean == inner else json.dumps(clean)
    return _SHAPE.sub(MASK, text)

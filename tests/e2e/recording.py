"""Answers of the running suite as examples of the document: shortened, and without what opens anything.

`make examples` has tests/e2e/test_every_status.py write them; the document is made from the file.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import httpx

from gateway.routes.documentation import EXAMPLES

from .document import Operation

# Set by `make examples`.
IS_RECORDING = bool(os.environ.get("RECORD_EXAMPLES"))
_MOST_ROWS = 1
# Characters of a text; the document shows forms, not contents.
_MOST_TEXT = 300
_SECRET_KEYS = {"token", "secret", "signature", "challenge", "recoveryCodes", "otpauthUrl"}
_HOST = re.compile(r"(https?|wss?)://127\.0\.0\.1:\d+/")
_SIGNATURE = re.compile(r"signature=[0-9a-f]+")
_IN_PATH = re.compile(r"(/api/webhooks/\w+/)[^/]{16,}")


class Recording:
    """The examples of one run."""

    def __init__(self) -> None:
        self._examples: dict[str, dict[str, Any]] = {"problems": {}}

    def add(self, operation: Operation, answer: httpx.Response) -> None:
        """Keeps a JSON answer under its status, and the first problem of each status."""
        kind, status = answer.headers.get("content-type", ""), str(answer.status_code)
        if kind == "application/problem+json":
            self._examples["problems"].setdefault(status, _shown(answer.json()))
        elif kind == "application/json" and not operation.path.startswith("/openapi"):
            self._examples.setdefault(str(operation), {})[status] = _shown(answer.json())

    def write(self) -> None:
        text = json.dumps(dict(sorted(self._examples.items())), indent=1, ensure_ascii=False)
        EXAMPLES.write_text(text + "\n", encoding="utf-8")


def _shown(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _shown(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner, name) for inner in value[: _MOST_ROWS if name == "data" else None]]
    if not isinstance(value, str):
        return value
    if name in _SECRET_KEYS:
        return f"{value[:4]}…"
    value = _HOST.sub(r"\1://api.example.com/", value[:_MOST_TEXT])
    return _IN_PATH.sub(r"\1org-token", _SIGNATURE.sub("signature=…", value))

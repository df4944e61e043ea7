"""The version that a write requires (`expected_version` of a request), checked in the write's transaction."""

from __future__ import annotations

from typing import Any

from libs.errors import FailedPrecondition


def require_version(request: Any, version: int) -> None:
    """Refuse a write whose request expects another version; `request` is a message with that optional field."""
    if request.HasField("expected_version") and request.expected_version != version:
        raise FailedPrecondition("stale_version", "It changed since you read it: read it again, then repeat.")

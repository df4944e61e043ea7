"""What a process shows of its keys on its operations port: ids, ages and states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

# Seconds for one process's page; a screen should not wait longer for it.
_SECONDS = 3.0


def keys_of(process: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a process of run.json shows: setting, kid, state, createdAt."""
    answer = httpx.get(f"{process['ops']}/keys", timeout=_SECONDS).raise_for_status()
    found: list[dict[str, Any]] = answer.json()["keys"]
    return found

"""Is the suite healthy? What its own /health says, and which store it misses, by variable and host."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from local.runner.external import place

# Seconds that a started suite has to become healthy; it takes below 5 on 2 busy cores.
SECONDS = 30.0
_STORES = {"database": "DATABASE_URL", "redis": "REDIS_URL", "queue": "NATS_URL"}


def unhealthy_reason(url: str, stores: Mapping[str, str], seconds: float = SECONDS) -> str:
    """Empty once /health says healthy; otherwise what it says after so long. `stores` are URLs by variable."""
    deadline = time.monotonic() + seconds
    while True:
        status, answer = _ask(f"{url}/health")
        if status == 200:
            return ""
        if time.monotonic() > deadline:
            return _told(status, answer, stores)
        time.sleep(0.2)


def _told(status: int, answer: Any, stores: Mapping[str, str]) -> str:
    # The gateway's own log says why it does not answer; its /health would name the store.
    if status == 0:
        return f"{answer}; see `make logs SERVICE=gateway`"
    connections = answer.get("connections", {}) if isinstance(answer, dict) else {}
    missing = [
        f"{part} is {connections[part]} ({variable}: {place(stores[variable])})"
        for part, variable in _STORES.items()
        if connections.get(part, "connected") != "connected"
    ]
    return "; ".join(missing) or "a service does not answer; see `make status`"


def _ask(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 our own http URL
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            text = refusal.read().decode(errors="replace")
        return refusal.code, json.loads(text) if text.startswith("{") else text
    except (OSError, ValueError) as error:
        return 0, f"the gateway does not answer ({error})"

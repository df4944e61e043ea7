"""A few sockets beside the 500 that k6 holds, in a process that does nothing else: when a change reaches a client.

k6 reads its 500 sockets in as many JavaScript machines beside everything else of the machine; what it measures is the
suite's time and its own. This process tells how late it was itself. Times are from the event's own time, which is
written in the transaction of the change.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bench.fanout.process import Process

# Enough for quantiles over a minute's changes, too few to be a load.
SOCKETS = 20


@dataclass(frozen=True)
class Delays:
    """Milliseconds from a change to a socket, and by how much this process itself woke too late."""

    count: int
    p95_ms: float
    p99_ms: float
    own_p99_ms: float


class Listener:
    """Sockets on the organization's agents from `start` to `stop`."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {credentials['apiKey']}"}
        answer = httpx.post(f"{credentials['url']}/api/realtime/token", json={}, headers=headers, timeout=30)
        token = answer.raise_for_status().json()
        [channel] = [name for name in token["channels"] if name.endswith(":agents")]
        self._process = Process([sys.executable, "-m", "bench.fanout.clients"])
        self._process.ask(act="open", kind="dated", urls=[token["url"]], token=token["token"], channel=channel)
        self._process.ask(act="join", count=SOCKETS)

    def stop(self) -> Delays:
        found = self._process.ask(act="delays")
        self._process.close()
        return summed(found["delays"], found["own"])


def summed(delays_ms: Sequence[float], own_ms: Sequence[float]) -> Delays:
    """Nothing heard is no good figure."""
    late = _quantiles(delays_ms)
    return Delays(len(delays_ms), late[94], late[98], _quantiles(own_ms)[98])


def _quantiles(values: Sequence[float]) -> list[float]:
    return statistics.quantiles(values, n=100) if len(values) > 1 else [float("inf")] * 99

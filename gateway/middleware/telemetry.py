"""Counts, times and traces every request, and keeps the last minute of them for the figures of /metrics.

It must not read bodies. Labels are a known method, a route of the table and the class of the status (2xx), so that a
client cannot create series.
"""

import functools
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import request_of
from libs.telemetry import span, use_traceparent
from libs.telemetry.metrics import HTTP_SERVER_INFLIGHT, HTTP_SERVER_SECONDS

log = logging.getLogger("gateway.requests")

# Seconds of requests behind the figures of /metrics.
WINDOW_SECONDS = 60.0
# Requests in the window: 270 a second for a minute. More: more memory, and a slower quantile.
_KEPT = 16_384
# Seconds from which a request is logged as slow: five times the promised p95.
_SLOW_SECONDS = 1.0
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Traffic:
    """The last minute: per second, and the response times in seconds, ordered and by quantile."""

    requests_per_second: float
    client_errors_per_second: float
    server_errors_per_second: float
    p50: float
    p95: float
    p99: float
    seconds: Sequence[float] = ()


class RecentRequests:
    """A bounded memory of the last minute's requests."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float, int]] = deque(maxlen=_KEPT)

    def add(self, finished: float, seconds: float, status: int) -> None:
        self._kept.append((finished, seconds, status))

    def traffic(self, now: float) -> Traffic:
        """Figures of the last minute. When the memory is full they cover a shorter time."""
        recent = [entry for entry in self._kept if now - entry[0] <= WINDOW_SECONDS]
        full = len(self._kept) == _KEPT and recent
        window = max(now - recent[0][0], 0.001) if full else WINDOW_SECONDS
        times = sorted(seconds for _, seconds, _ in recent)
        return Traffic(
            requests_per_second=len(recent) / window,
            client_errors_per_second=sum(400 <= status < 500 for _, _, status in recent) / window,
            server_errors_per_second=sum(status >= 500 for _, _, status in recent) / window,
            p50=_quantile(times, 0.50),
            p95=_quantile(times, 0.95),
            p99=_quantile(times, 0.99),
            seconds=times,
        )


def _quantile(ordered: list[float], q: float) -> float:
    return ordered[min(int(len(ordered) * q), len(ordered) - 1)] if ordered else 0.0


@functools.cache
def _seconds_of(method: str, route: str, status_class: int) -> Histogram:
    """Looking a labelled histogram up costs twice as much as using it."""
    return HTTP_SERVER_SECONDS.labels(method, route, f"{status_class}xx")


class Telemetry:
    """One span, one histogram sample and one line in the window for each request."""

    def __init__(self, app: ASGIApp, recent: RecentRequests) -> None:
        self._app = app
        self._recent = recent
        self._inflight = 0
        HTTP_SERVER_INFLIGHT.set_function(lambda: self._inflight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "(other)"
        self._inflight += 1
        try:
            with use_traceparent(request.header("traceparent")), span(f"HTTP {method}", kind="server") as current:
                await self._app(scope, receive, send)
                current.set(route=request.route_template, status=request.status)
        finally:
            self._inflight -= 1
            self.record(request.started, method, request.route_template, request.status or 499, logged=not request.shed)

    def record(self, started: float, method: str, route: str, status: int, *, logged: bool = True) -> None:
        """Count a request that began at `started` (time.perf_counter()) and ends now. Refusals of a flood are not
        logged one by one."""
        now = time.perf_counter()
        seconds = now - started
        _seconds_of(method, route, status // 100).observe(seconds)
        self._recent.add(now, seconds, status)
        if logged and (status >= 500 or seconds > _SLOW_SECONDS):
            log.warning(
                "request failed" if status >= 500 else "request was slow",
                extra={"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)},
            )

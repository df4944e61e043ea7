"""The charts of the last hour: what fills them, and a page of them that needs nothing installed.

`/charts` of the operations port is the page and `/charts.json` its data. Real deployments use Prometheus and the
dashboards in k8s/components/monitoring; this is for one machine and for the first look.
"""

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.figures.history import EVERY_SECONDS, History
from gateway.figures.report import report_of
from gateway.operations import snapshot
from libs.bus import Bus
from libs.bus.subjects import GATEWAY_FIGURES
from libs.telemetry.ops import Page

if TYPE_CHECKING:
    from gateway.state import Gateway

_PAGE = Path(__file__).with_name("charts.html")

# Seconds between points while no request comes. Each point wakes every service, which costs an idle suite more than all
# else that its serving processes do.
IDLE_SECONDS = 60.0

_log = logging.getLogger("gateway.figures")


async def fill(gateway: "Gateway", bus: Bus, stop: asyncio.Event) -> None:
    """A point of the history every EVERY_SECONDS, or IDLE_SECONDS without requests, until told to stop. A failure
    costs one point: a process ends when a background task does, and figures are no reason to end a gateway."""
    due = 0.0
    while not stop.is_set():
        if gateway.recent.traffic(time.perf_counter()).requests_per_second or time.monotonic() >= due:
            try:
                await _add_point(gateway, bus)
                due = time.monotonic() + IDLE_SECONDS
            except Exception:
                _log.exception("a point of the charts is missing")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)


async def _add_point(gateway: "Gateway", bus: Bus) -> None:
    """Also reports to the other gateways."""
    history = gateway.history
    seen = await snapshot.take(gateway)
    own = report_of(gateway.settings.instance, seen.traffic)
    await bus.publish_core(GATEWAY_FIGURES, msgspec.json.encode(own))
    history.add(seen, history.reports.with_own(own, time.monotonic()), datetime.now(UTC))


async def data(history: History) -> Page:
    """`/charts.json`."""
    return Page(200, msgspec.json.encode(history.figures()), "application/json")


async def page() -> Page:
    """`/charts`."""
    return Page(200, await asyncio.to_thread(_PAGE.read_bytes), "text/html; charset=utf-8")

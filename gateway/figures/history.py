"""The last hour, kept in this process: what operators see in the console and on the operations port."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from gateway.figures.report import CacheFigures, Report, Reports, caches_of, together
from gateway.figures.snapshot import Snapshot
from gateway.schemas.figures import CacheRow, Figures, Point, ServiceFigures
from gateway.schemas.health import service_health
from gateway.schemas.jobs import queue_from_proto
from libs.clock import rfc3339_ms

# 360 points show an hour at a width that a screen can draw; each costs the suite twelve small RPCs.
EVERY_SECONDS = 10.0
# Points.
KEPT = 360
# Answers of each service whose largest value is shown. Requests go round the replicas, and one of them leads.
_ROUNDS = 6


class History:
    """Bounded in points, gateways and services."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=KEPT)
        self.reports = Reports()
        self._latest: tuple[Snapshot, list[Report]] | None = None
        self._cpu_seconds: dict[str, float] = {}
        self._added_at: datetime | None = None
        self._caches: dict[tuple[str, str], CacheFigures] = {}
        self._lags: dict[str, deque[float]] = {}
        self._dead: dict[str, deque[float]] = {}

    def on_message(self, subject: str, data: bytes) -> None:
        """Another gateway's report, by NATS; this one's own too, which is replaced by what it knows itself."""
        self.reports.hear(data, time.monotonic())

    def add(self, seen: Snapshot, reports: list[Report], now: datetime) -> None:
        """Keep one instant. CPU is the share of a core since the point before, by service."""
        self._latest = seen, reports
        traffic = together(reports)
        for name, status in seen.statuses.items():
            for kept, gauge in ((self._lags, "outbox_lag_seconds"), (self._dead, "dead_events")):
                kept.setdefault(name, deque(maxlen=_ROUNDS)).append(status.gauges.get(gauge, 0.0))
        self._points.append(
            Point(
                time=rfc3339_ms(now),
                requests_per_second=round(traffic.requests, 3),
                p50_ms=_ms(traffic.p50),
                p95_ms=_ms(traffic.p95),
                p99_ms=_ms(traffic.p99),
                errors4xx_per_second=round(traffic.client_errors, 3),
                errors5xx_per_second=round(traffic.server_errors, 3),
                pool_active=sum(status.pool_active for status in seen.statuses.values()),
                pool_total=sum(status.pool_total for status in seen.statuses.values()),
                cache_hit_ratio=self._hit_ratios(reports),
                cache_heartbeat_seconds={
                    name: round(figures.heartbeat_seconds, 2) for name, figures in caches_of(reports).items()
                },
                job_run_p95_seconds=round(max((queue.run_p95_seconds for queue in seen.queues), default=0.0), 3),
                jobs_waiting=sum(queue.waiting for queue in seen.queues),
                outbox_lag_seconds={name: round(self._lags[name][-1], 3) for name in seen.statuses},
                sockets=seen.total("sockets"),
                memory_mib={name: _mib(status.gauges.get("memory_bytes", 0)) for name, status in seen.statuses.items()},
                cpu_cores=self._cpu(seen, now),
            )
        )

    def _hit_ratios(self, reports: Sequence[Report]) -> dict[str, float]:
        """By class, of the reads since the point before. A gateway that is new is counted from its second point on."""
        before, self._caches = self._caches, {}
        new: dict[str, tuple[float, float]] = {}
        for report in reports:
            for name, figures in report.caches.items():
                self._caches[report.instance, name] = figures
                last = before.get((report.instance, name))
                if last is not None and figures.hits >= last.hits and figures.misses >= last.misses:
                    hits, reads = new.get(name, (0.0, 0.0))
                    added = figures.hits - last.hits
                    new[name] = hits + added, reads + added + figures.misses - last.misses
        return {name: round(hits / reads, 4) for name, (hits, reads) in sorted(new.items()) if reads}

    def _cpu(self, seen: Snapshot, now: datetime) -> dict[str, float]:
        before, added_at, self._added_at = self._cpu_seconds, self._added_at or now, now
        # Without requests points are further apart.
        seconds = max(EVERY_SECONDS, (now - added_at).total_seconds())
        # A replica that was replaced counts from zero again: its first difference is unknown, not negative.
        self._cpu_seconds = {
            f"{name} {status.instance}": status.gauges.get("cpu_seconds", 0.0) for name, status in seen.statuses.items()
        }
        return {
            key.partition(" ")[0]: round((used - before[key]) / seconds, 4)
            for key, used in self._cpu_seconds.items()
            if key in before
        }

    def figures(self, after: datetime | None = None) -> Figures:
        """What operators see; of the points those after a time."""
        since = rfc3339_ms(after) if after else ""
        seen, reports = self._latest or (None, [])
        return Figures(
            gateways=[report.instance for report in reports],
            points=[point for point in self._points if point.time > since],
            caches=[_cache_row(name, figures) for name, figures in caches_of(reports).items()],
            services=self._services(seen) if seen else [],
            queues=[queue_from_proto(queue) for queue in seen.queues] if seen else [],
        )

    def _services(self, seen: Snapshot) -> list[ServiceFigures]:
        rows = []
        for name in seen.asked:
            status = seen.statuses.get(name)
            health = msgspec.structs.asdict(service_health(name, status))
            rows.append(
                ServiceFigures(
                    **health,
                    memory_mib=_mib(status.gauges.get("memory_bytes", 0)) if status else None,
                    outbox_lag_seconds=_largest(self._lags, name) if status else None,
                    dead_events=int(_largest(self._dead, name)) if status else None,
                )
            )
        return rows


def _cache_row(name: str, figures: CacheFigures) -> CacheRow:
    return CacheRow(
        name=name,
        hits=int(figures.hits),
        misses=int(figures.misses),
        stale_answers=int(figures.stale),
        heartbeat_seconds=round(figures.heartbeat_seconds, 2),
    )


def _largest(kept: Mapping[str, Sequence[float]], name: str) -> float:
    return round(max(kept.get(name) or (0.0,)), 3)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _mib(amount: float) -> float:
    return round(amount / 1_048_576, 1)

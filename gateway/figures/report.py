"""What each gateway tells the others every ten seconds, so that each of them shows all of them together.

Response times travel as counts by bucket, because no quantile of several gateways follows from the quantiles of each.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from prometheus_client import Metric

from gateway.middleware.telemetry import Traffic
from libs.telemetry import metrics

# Seconds of the first bucket, and by how much each bucket is longer than the one before: a quantile is 4 % off at most.
_LEAST_SECONDS, _GROWTH = 1e-4, 1.08
# Gateways whose reports are kept. More: more memory, about 2 KB each.
MOST_GATEWAYS = 64
# Seconds after which a silent gateway counts as gone: three of its reports.
FRESH_SECONDS = 30.0


class CacheFigures(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One class of cached values since the start of a gateway. `heartbeat_seconds` is the age of the last evidence that
    invalidations arrive."""

    hits: float = 0.0
    misses: float = 0.0
    stale: float = 0.0
    heartbeat_seconds: float = 0.0


class Report(msgspec.Struct, frozen=True, array_like=True):
    """One gateway's last minute. Rates are per second; `times` counts requests by bucket of their response time."""

    instance: str
    requests: float
    client_errors: float
    server_errors: float
    times: dict[int, int]
    caches: dict[str, CacheFigures]


_decoder = msgspec.json.Decoder(Report)


def report_of(instance: str, traffic: Traffic) -> Report:
    """The figures of this process."""
    return Report(
        instance,
        traffic.requests_per_second,
        traffic.client_errors_per_second,
        traffic.server_errors_per_second,
        _counts(traffic.seconds),
        _cache_figures(),
    )


class Reports:
    """The latest report of each other gateway, at most MOST_GATEWAYS."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, Report]] = {}

    def hear(self, data: bytes, now: float) -> None:
        """`now` in seconds of any clock that goes on. What another release says in other words is ignored."""
        try:
            report = _decoder.decode(data)
        except msgspec.MsgspecError:
            return
        self._forget(now)
        if report.instance in self._heard or len(self._heard) < MOST_GATEWAYS:
            self._heard[report.instance] = now, report

    def with_own(self, own: Report, now: float) -> list[Report]:
        self._forget(now)
        return [own, *(report for _, report in self._heard.values() if report.instance != own.instance)]

    def _forget(self, now: float) -> None:
        self._heard = {name: kept for name, kept in self._heard.items() if now - kept[0] <= FRESH_SECONDS}


@dataclass(frozen=True, slots=True)
class Together:
    """All gateways as one. Times in seconds, rates per second."""

    requests: float
    client_errors: float
    server_errors: float
    p50: float
    p95: float
    p99: float


def together(reports: Sequence[Report]) -> Together:
    times: defaultdict[int, int] = defaultdict(int)
    for report in reports:
        for bucket, number in report.times.items():
            times[bucket] += number
    return Together(
        sum(report.requests for report in reports),
        sum(report.client_errors for report in reports),
        sum(report.server_errors for report in reports),
        *(_quantile(times, q) for q in (0.50, 0.95, 0.99)),
    )


def caches_of(reports: Iterable[Report]) -> dict[str, CacheFigures]:
    """By class: counts summed, the oldest heartbeat of all gateways. Only classes that were read."""
    found: dict[str, CacheFigures] = {}
    for report in reports:
        for name, figures in report.caches.items():
            before = found.get(name, CacheFigures())
            found[name] = CacheFigures(
                before.hits + figures.hits,
                before.misses + figures.misses,
                before.stale + figures.stale,
                max(before.heartbeat_seconds, figures.heartbeat_seconds),
            )
    return dict(sorted(found.items()))


def _counts(seconds: Iterable[float]) -> dict[int, int]:
    found: defaultdict[int, int] = defaultdict(int)
    for one in seconds:
        found[_bucket(one)] += 1
    return dict(found)


def _bucket(seconds: float) -> int:
    return max(0, math.ceil(math.log(max(seconds, _LEAST_SECONDS) / _LEAST_SECONDS, _GROWTH)))


def _quantile(times: Mapping[int, int], q: float) -> float:
    """The middle of the bucket in which the quantile lies; 0 without a request."""
    rank = int(sum(times.values()) * q)
    for bucket in sorted(times):
        if rank < times[bucket]:
            return float(_LEAST_SECONDS * _GROWTH ** (bucket - 0.5))
        rank -= times[bucket]
    return 0.0


def _cache_figures() -> dict[str, CacheFigures]:
    hits, misses = _by_class(metrics.CACHE_HITS.collect()), _by_class(metrics.CACHE_MISSES.collect(), level="redis")
    stale, ages = _by_class(metrics.CACHE_STALE.collect()), _by_class(metrics.CACHE_HEARTBEAT_SECONDS.collect())
    return {
        name: CacheFigures(hits.get(name, 0), misses.get(name, 0), stale.get(name, 0), ages.get(name, 0))
        for name in hits.keys() | misses.keys()
        if hits.get(name, 0) + misses.get(name, 0) > 0
    }


def _by_class(families: Iterable[Metric], level: str | None = None) -> dict[str, float]:
    """Values by class of cache; of every level, or of one. A read that memory cannot answer goes on to Redis."""
    found: defaultdict[str, float] = defaultdict(float)
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith("_created") and level in (None, sample.labels.get("level")):
                found[sample.labels["cache"]] += sample.value
    return dict(found)

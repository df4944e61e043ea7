"""What each gateway tells the others every ten seconds, so that each of them shows all of them together.

Response times travel as counts by bucket, because no quantile of several gateways follows from the quantiles of each.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta
from prometheus_client import Metric

from gateway.middleware.telemetry import Traffic
from libs.telemetry import metrics

# Seconds of the first bucket, and by how much each bucket is longer than the one before: a quantile is 4 % off at most.
_LEAST_SECONDS, _GROWTH = 1e-4, 1.08
# The last bucket, of 2.7 hours; longer times count in it. It bounds what a report holds and what `_quantile` computes.
LAST_BUCKET = 239
# Classes of cached values in a report; this release has fewer than twenty. More would grow every point of the history.
MOST_CACHES = 64
# Gateways whose reports are kept. More: more memory, about 2 KB each.
MOST_GATEWAYS = 64
# Seconds after which a silent gateway counts as gone: three of its reports.
FRESH_SECONDS = 30.0

# What NATS brings is bounded while it is decoded, because every gateway sums it, keeps it and shows it to operators.
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
_Instance = Annotated[str, Meta(min_length=1, max_length=255)]
_Figure = Annotated[float, Meta(ge=0, le=1e15)]
_Bucket = Annotated[int, Meta(ge=0, le=LAST_BUCKET)]
_Count = Annotated[int, Meta(ge=0, le=10**9)]

_log = logging.getLogger("gateway.figures")


class CacheFigures(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One class of cached values since the start of a gateway. `heartbeat_seconds` is the age of the last evidence that
    invalidations arrive."""

    hits: _Figure = 0.0
    misses: _Figure = 0.0
    stale: _Figure = 0.0
    heartbeat_seconds: _Figure = 0.0


class Report(msgspec.Struct, frozen=True, array_like=True):
    """One gateway's last minute. Rates are per second; `times` counts requests by bucket of their response time."""

    instance: _Instance
    requests: _Figure
    client_errors: _Figure
    server_errors: _Figure
    times: Annotated[dict[_Bucket, _Count], Meta(max_length=LAST_BUCKET + 1)]
    caches: Annotated[dict[_Name, CacheFigures], Meta(max_length=MOST_CACHES)]


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
        self._warned = -math.inf

    def hear(self, data: bytes, now: float) -> None:
        """`now` in seconds of any clock that goes on. A report of another shape or beyond the bounds is dropped; the
        log has one line for all that are dropped within FRESH_SECONDS."""
        try:
            report = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if now - self._warned > FRESH_SECONDS:
                self._warned = now
                _log.warning("a report of another gateway was dropped: %s", str(error)[:200])
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
    return min(LAST_BUCKET, math.ceil(math.log(max(seconds, _LEAST_SECONDS) / _LEAST_SECONDS, _GROWTH)))


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

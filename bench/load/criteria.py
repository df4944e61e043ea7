"""The success criteria of the architecture paper and our own bars, as pass or fail. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.load.listener import Delays
from bench.load.samples import Sample, Waits

# Caches and pools fill during the first part of a run; memory is compared from here on.
WARM_SHARE = 0.3
# PSS of two quiet minutes differs by about this much.
FLAT_RATIO = 1.10


@dataclass(frozen=True)
class Criterion:
    """One line of the verdict. `bar` says whose it is: the paper's decide, ours are shown."""

    bar: str
    text: str
    met: bool


@dataclass(frozen=True)
class Figures:
    """What k6 counted: answers, milliseconds at quantiles, and the answers that were neither success nor refusal."""

    requests: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def errors(self) -> float:
        """Share of all answers that were not a success."""
        return (self.refused + self.broken) / self.requests if self.requests else 1.0


def figures(summary: dict[str, Any]) -> Figures:
    """From the summary that k6's handleSummary is given."""
    metrics = summary["metrics"]
    took = metrics["http_req_duration"]["values"]

    def count(name: str) -> int:
        return int(metrics.get(name, {"values": {"count": 0}})["values"]["count"])

    return Figures(
        requests=int(took["count"]),
        per_second=float(metrics["http_reqs"]["values"]["rate"]),
        p50_ms=took["med"],
        p95_ms=took["p(95)"],
        p99_ms=took["p(99)"],
        refused=count("refused"),
        broken=count("broken"),
    )


def judge(seen: Figures, samples: Sequence[Sample], waits: Waits, recovered_ms: float) -> list[Criterion]:
    """Baseline, spike, sustained and Artillery. `recovered_ms` is the slowest of the requests after the load."""
    return [
        Criterion("paper", f"response time p95 {seen.p95_ms:.1f} ms (< 200)", seen.p95_ms < 200),
        Criterion("paper", f"errors {seen.errors:.3%} of {seen.requests:,} (< 1 %)", seen.errors < 0.01),
        memory(samples),
        pools(waits),
        Criterion("paper", f"after the load an answer takes {recovered_ms:.0f} ms (< 200)", recovered_ms < 200),
        Criterion("ours", f"response time p95 {seen.p95_ms:.1f} ms (< 50)", seen.p95_ms < 50),
        Criterion("ours", f"errors {seen.errors:.3%} (< 0.01 %)", seen.errors < 0.0001),
    ]


def judge_stress(seen: Figures, samples: Sequence[Sample], recovered_ms: float) -> list[Criterion]:
    """Beyond its capacity the suite may refuse, with Retry-After; it may not break, and it must recover."""
    peak = max((sample.requests_per_second for sample in samples), default=0.0)
    broken = seen.broken / seen.requests if seen.requests else 1.0
    return [
        Criterion(
            "paper", f"degrades gracefully: {broken:.3%} broken, {seen.refused:,} refused (< 1 %)", broken < 0.01
        ),
        Criterion("paper", f"after the load an answer takes {recovered_ms:.0f} ms (< 200)", recovered_ms < 200),
        Criterion("ours", f"a minute's peak {peak:.0f} requests/s (paper: 17/s an instance)", peak > 1000 / 60),
    ]


def judge_sockets(summary: dict[str, Any], wanted: int, samples: Sequence[Sample], beside: Delays) -> list[Criterion]:
    """Every connection stands and hears of every change. `beside` was heard in a process without a load of its own."""
    metrics = summary["metrics"]

    def count(name: str) -> int:
        return int(metrics.get(name, {"values": {"count": 0}})["values"]["count"])

    sent, heard = count("messages_sent"), count("messages_heard")
    connected, dropped = count("sockets_connected"), count("sockets_dropped")
    times = f"p95 {beside.p95_ms:.0f}, p99 {beside.p99_ms:.0f} ms"
    return [
        Criterion("paper", f"{connected:,} of {wanted:,} sockets connected", connected == wanted),
        Criterion("paper", f"{dropped:,} dropped (0)", dropped == 0),
        Criterion("paper", f"heard {heard:,} of {sent * wanted:,} messages", sent > 0 and heard == sent * wanted),
        Criterion("ours", f"change to socket {times} (p99 < 200)", beside.p99_ms < 200),
        memory(samples),
    ]


def memory(samples: Sequence[Sample]) -> Criterion:
    """The last part of the run beside the first part after the warm-up, by median."""
    warm = samples[int(len(samples) * WARM_SHARE) :]
    part = max(1, len(warm) // 4)
    if len(warm) < 4:
        return Criterion("paper", "memory: the run was too short to tell", False)
    first = statistics.median(sample.memory_mib for sample in warm[:part])
    last = statistics.median(sample.memory_mib for sample in warm[-part:])
    return Criterion("paper", f"memory {first:.0f} → {last:.0f} MiB (at most +10 %)", last <= first * FLAT_RATIO)


def pools(waits: Waits) -> Criterion:
    return Criterion(
        "paper",
        f"{waits.long:.0f} of {waits.taken:,.0f} waits for a connection above 0.5 s (0): no pool ran dry",
        waits.taken > 0 and waits.long == 0,
    )

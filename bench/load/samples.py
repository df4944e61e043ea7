"""What the suite looks like while it is under load: memory and CPU of its processes, database connections, waits.

Reads /proc for the processes of run.json and each process's own /metrics. Figures are of the whole suite, stores
included.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from local.processes.memory import children_by_parent, pss_mib

# Two seconds resolve a spike of one minute and cost the suite nothing that shows.
EVERY_SECONDS = 2.0
# A request that waits this long for a database connection has met an exhausted pool.
LONG_WAIT_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One instant, `at` seconds after the start."""

    at: float
    memory_mib: float
    cpu_cores: float
    requests_per_second: float
    p95_ms: float
    connections_active: float


@dataclass
class Waits:
    """How often a connection was asked for, and how often that took longer than LONG_WAIT_SECONDS."""

    taken: float = 0.0
    long: float = 0.0

    def since(self, before: Waits) -> Waits:
        return Waits(self.taken - before.taken, self.long - before.long)


@dataclass
class Sampler:
    """Samples in a thread of its own between `start` and `stop`."""

    run_file: Path
    samples: list[Sample] = field(default_factory=list)

    def start(self) -> None:
        document = json.loads(self.run_file.read_text("utf-8"))
        self._processes: list[dict[str, Any]] = document["processes"]
        stores = [store for store in document["stores"].values() if store.get("pid")]
        self._pids = [entry["pid"] for entry in [*self._processes, *stores] if entry["pid"]]
        self._gateway = next(entry["ops"] for entry in self._processes if entry["role"] == "gateway")
        self._http = httpx.Client(timeout=5.0)
        self._before = self._waits()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Waits:
        """Ends the sampling; answers the waits for connections between start and stop."""
        self._ended.set()
        self._thread.join()
        waits = self._waits().since(self._before)
        self._http.close()
        return waits

    def _run(self) -> None:
        started = last = time.monotonic()
        used = self._cpu_seconds()
        while not self._ended.wait(EVERY_SECONDS):
            now, used_now = time.monotonic(), self._cpu_seconds()
            figures = self._figures()
            self.samples.append(
                Sample(
                    at=now - started,
                    memory_mib=self._memory_mib(),
                    cpu_cores=max(0.0, used_now - used) / (now - last),
                    requests_per_second=figures.get("http_requests_per_second", 0.0),
                    p95_ms=figures.get("http_response_seconds:0.95", 0.0) * 1000,
                    connections_active=figures.get("active", 0.0),
                )
            )
            last, used = now, used_now

    def _memory_mib(self) -> float:
        children = children_by_parent()
        return sum(pss_mib(pid, children) or 0.0 for pid in self._pids)

    def _cpu_seconds(self) -> float:
        children, total = children_by_parent(), 0.0
        waiting = list(self._pids)
        while waiting:
            pid = waiting.pop()
            waiting += children.get(pid, [])
            try:
                fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            total += (int(fields[11]) + int(fields[12])) / _TICKS
        return total

    def _figures(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, labels, value in self._series(self._gateway):
            if name == "http_requests_per_second":
                found[name] = value
            elif name == "http_response_seconds":
                found[f"{name}:{labels['quantile']}"] = value
            elif name == "suite_db_pool_connections" and labels["state"] == "active":
                found["active"] = found.get("active", 0.0) + value
        return found

    def _waits(self) -> Waits:
        waits = Waits()
        for entry in self._processes:
            for name, labels, value in self._series(entry["ops"]) if entry["ops"] else ():
                if name == "db_acquire_duration_seconds_count":
                    waits.taken += value
                    waits.long += value
                elif name == "db_acquire_duration_seconds_bucket" and float(labels["le"]) == LONG_WAIT_SECONDS:
                    waits.long -= value
        return waits

    def _series(self, ops: str) -> Iterator[tuple[str, dict[str, str], float]]:
        try:
            text = self._http.get(f"{ops}/metrics").text
        except httpx.HTTPError:
            return
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value

"""The two queues under the same load: how each starts, what it costs, how durable it is."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.jobs.measure import Role, cpu_of, percentile
from bench.jobs.stage import Stage
from bench.node import installed
from local.stores import Store, Stores

BULLMQ = Path(__file__).parent / "bullmq"


@dataclass(frozen=True)
class Load:
    """What both sides are given."""

    count: int
    per_commit: int = 1
    rate: float = 0.0
    delay: float = 0.0
    own_commit: bool = True

    def arguments(self) -> list[str]:
        return [
            "--count", str(self.count), "--per-commit", str(self.per_commit), "--rate", str(self.rate),
            "--delay", str(self.delay),
        ]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Jobs a second from the first enqueue to the last finish, enqueues a second, CPU of all processes a job, and how
    late the handlers began."""

    per_second: float
    enqueued_per_second: float
    cpu_micros: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float


class Side(Protocol):
    name: str
    durability: str

    def run(self, load: Load) -> Result: ...


def _measure(worker: Role, producer: Sequence[Role], stores: Sequence[Store], before: float, load: Load) -> Result:
    said = [role.say() for role in producer]
    done = worker.say()
    worker.wait()
    used = sum(cpu_of(store.pid or 0) for store in stores) - before + done["cpu"] + sum(one["cpu"] for one in said)
    begun, enqueued = min(one["begun_at"] for one in said), max(one["ended_at"] for one in said)
    late = [1000 * seconds for seconds in done["lateness"]]
    return Result(
        load.count / (done["ended_at"] - begun), load.count / (enqueued - begun), used / load.count * 1e6,
        percentile(late, 0.5), percentile(late, 0.99), max(late),
    )  # fmt: skip


class Ours:
    """libs.jobs on the embedded PostgreSQL and NATS."""

    name = "EchoSenseiX"
    durability = "PostgreSQL fsync=on, synchronous_commit=on: every acknowledged enqueue and finish is on disk"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def run(self, load: Load) -> Result:
        self._stage.sql("truncate job, job_attempt; vacuum job")
        stores = list(self._stage.stores.all.values())
        before = sum(cpu_of(store.pid or 0) for store in stores)
        command = [sys.executable, "-m", "bench.jobs.ours"]
        worker = Role([*command, "work", "--count", str(load.count)], self._stage.environment)
        worker.say()
        alone = ["--alone"] if load.own_commit and load.per_commit == 1 else []
        producer = Role([*command, "produce", *load.arguments(), *alone], self._stage.environment)
        return _measure(worker, [producer], stores, before, load)


class BullMq:
    """BullMQ from npm on the embedded Valkey, appendfsync as named."""

    def __init__(self, stores: Stores, fsync: str) -> None:
        self.name = f"BullMQ, {fsync}"
        self.durability = f"Valkey appendonly=yes, appendfsync={fsync}" + (
            ": every acknowledged write is on disk" if fsync == "always" else ": up to a second of writes may be lost"
        )
        self._store = stores.all["redis"]
        # Options after the configuration file win over it. No password: the client is on loopback, for the run alone.
        changed = {"appendonly": "yes", "appendfsync": fsync, "maxmemory": "0", "maxmemory-policy": "noeviction"}
        options = [part for name, value in changed.items() for part in (f"--{name}", value)]
        argv = [*self._store.child.command.argv, *options, "--requirepass", ""]
        command = dataclasses.replace(self._store.child.command, argv=argv)
        self._store.stop()
        shutil.rmtree(self._store.data, ignore_errors=True)
        self._store.data.mkdir()
        self._store.child.command = command
        self._store.start()
        self._home = installed("jobs", BULLMQ)
        self._port = self._store.url.rsplit(":", 1)[1].split("/")[0]
        self._runs = 0

    def run(self, load: Load) -> Result:
        self._runs += 1
        before = cpu_of(self._store.pid or 0)
        named = ["--port", self._port, "--queue", f"bench{self._runs}"]
        worker = Role(["node", "bench.mjs", "work", *named, "--count", str(load.count)], {}, self._home)
        worker.say()
        producer = Role(["node", "bench.mjs", "produce", *named, *load.arguments()], {}, self._home)
        return _measure(worker, [producer], [self._store], before, load)

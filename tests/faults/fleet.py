"""Worker processes that are killed, paused and started again, and the moment at which each died."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local.processes.process import Child, Command

ROOT = Path(__file__).resolve().parents[2]


class Fleet:
    """`size` workers; each start has a name of its own, so that nothing but the lease tells that its holder died."""

    def __init__(self, size: int, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = environment
        self._logs = logs
        self._generation = 0
        self.died_at: dict[str, float] = {}
        self.workers = [self._start() for _ in range(size)]

    def _start(self) -> tuple[str, Child]:
        self._generation += 1
        name = f"w{self._generation}"
        command = Command(
            name=name,
            argv=[sys.executable, "-m", "tests.faults.worker", "work"],
            log=self._logs / "workers.log",
            environment={**self._environment, "INSTANCE": name, "OPS_ADDRESS": ""},
            cwd=ROOT,
        )
        child = Child(command)
        child.start()
        return name, child

    def kill(self, place: int) -> None:
        """kill -9, and another in its place at once."""
        name, child = self.workers[place]
        child.kill()
        self.died_at[name] = time.time()
        self.workers[place] = self._start()

    def revive(self) -> int:
        """Start another for each that ended by itself; how many did."""
        ended = [place for place, (_, child) in enumerate(self.workers) if not child.running]
        for place in ended:
            self.died_at.setdefault(self.workers[place][0], time.time())
            self.workers[place] = self._start()
        return len(ended)

    def pause(self, place: int) -> str:
        name, child = self.workers[place]
        child.pause()
        return name

    def resume(self, place: int) -> None:
        self.workers[place][1].resume()

    def stop(self) -> None:
        for _, child in self.workers:
            child.resume()
            child.ask_to_stop()
        for _, child in self.workers:
            if not child.wait(15.0):
                child.kill()

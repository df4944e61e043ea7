"""The embedded NATS server with JetStream, and its monitoring port."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from local.processes.probes import http_ready
from local.processes.process import Command
from local.stores.store import Store


def make_nats(port: int, monitor: int, data: Path, logs: Path) -> Store:
    data.mkdir(parents=True, exist_ok=True)
    program = Path(sys.prefix) / "bin" / "nats-server"
    argv = [
        str(program), "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor), "-js", "-sd", str(data), "-n", "local",
    ]  # fmt: skip
    command = Command(name="nats", argv=argv, log=logs / "nats.log", death_signal=signal.SIGTERM)
    return Store(command, f"nats://127.0.0.1:{port}", data, lambda: http_ready(f"http://127.0.0.1:{monitor}/healthz"))

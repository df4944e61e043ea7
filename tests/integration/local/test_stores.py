"""The embedded stores on real processes: readiness is a login, kill -9 is survived, and nothing outlives its parent."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stores import Stores, run_sql


@pytest.fixture
def own_stores(tmp_path: Path) -> Iterator[Stores]:
    with Stores(tmp_path, durable=True) as running:
        yield running


def test_an_acknowledged_row_survives_kill_and_restart_of_postgres(own_stores: Stores) -> None:
    run_sql(own_stores.postgres_admin_dsn, "create table kept (id int); insert into kept values (7)")
    own_stores.postgres.kill()
    assert not own_stores.postgres.ready()
    own_stores.postgres.start()
    assert run_sql(own_stores.postgres_admin_dsn, "select id from kept") == "7"


def test_data_survives_stop_and_start(own_stores: Stores) -> None:
    run_sql(own_stores.postgres_admin_dsn, "create table kept (id int); insert into kept values (8)")
    own_stores.stop()
    own_stores.start()
    assert run_sql(own_stores.postgres_admin_dsn, "select id from kept") == "8"


def test_a_paused_store_is_not_ready(own_stores: Stores) -> None:
    own_stores.redis.pause()
    assert not own_stores.redis.ready()
    own_stores.redis.resume()
    own_stores.redis.wait_ready(5)


def test_extensions_the_suite_needs_load(stores: Stores) -> None:
    for name in ("vector", "pg_trgm", "unaccent", "btree_gin", "pg_stat_statements"):
        run_sql(stores.postgres_admin_dsn, f"create extension if not exists {name}")


PARENT = """
import sys, time, pathlib
from local.stores import Stores
stores = Stores(pathlib.Path(sys.argv[1])).start()
print(*[store.pid for store in stores.all.values()], flush=True)
time.sleep(60)
"""


def test_no_store_outlives_a_parent_killed_with_9(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert parent.stdout is not None
    pids = parent.stdout.readline().split()
    assert len(pids) == 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while alive := [pid for pid in pids if _alive(int(pid))]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False

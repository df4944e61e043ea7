"""The runner on the real suite: crashed processes come back, nothing outlives it, its files tell the truth."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes.memory import children_by_parent
from local.processes.ports import is_free
from local.processes.probes import http_ready
from local.runner.folder import Folder, is_alive
from local.runner.suite import Suite
from local.stores import Stores, run_sql

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with Suite(tmp_path_factory.mktemp("own"), scale="agent=2") as running:
        yield running


def command(*arguments: str, folder: Folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments, "--var", str(folder.path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def pids(suite: Suite) -> list[int]:
    document = suite.run
    found = [entry["pid"] for entry in (*document["processes"], *document["stores"].values())]
    return [document["pid"], *found]


def wait_until_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)


def test_run_json_names_every_process_and_store_and_is_private(own: Suite) -> None:
    document = own.run
    assert all(is_alive(pid) for pid in pids(own))
    assert {"service", "role", "index", "pid", "http", "grpc", "ws"} <= document["processes"][0].keys()
    assert {"url", "adminUrl", "pid", "data"} <= document["stores"]["postgres"].keys()
    assert {"url", "monitorUrl", "pid", "data"} <= document["stores"]["nats"].keys()
    assert http_ready(document["stores"]["nats"]["monitorUrl"])
    for file in (own.folder.run_file, own.folder.keys_file):
        assert file.stat().st_mode & 0o777 == 0o600


def test_two_instances_have_two_addresses(own: Suite) -> None:
    entries = [entry for entry in own.run["processes"] if entry["service"] == "agent" and entry["role"] == "serve"]
    assert [entry["index"] for entry in entries] == [0, 1]
    assert entries[0]["grpc"] != entries[1]["grpc"]


def test_a_killed_service_comes_back_and_is_shown(own: Suite) -> None:
    old = own.kill("agent")
    own.wait_restarted("agent", old)
    entry = own.process("agent")
    assert entry["restarts"] == 1
    assert entry["lastExit"] == -signal.SIGKILL
    shown = command("status", folder=own.folder)
    line = next(line for line in shown.stdout.splitlines() if line.startswith("agent "))
    assert str(entry["pid"]) in line
    assert "healthy" in line


def test_a_killed_store_comes_back_with_its_data(own: Suite) -> None:
    admin = own.run["stores"]["postgres"]["adminUrl"]
    run_sql(admin, "create table if not exists public.kept (id int); insert into public.kept values (1)")
    old = own.kill("postgres")
    deadline = time.monotonic() + 15
    while own.run["stores"]["postgres"]["pid"] in (None, old) or own.run["stores"]["postgres"]["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert run_sql(admin, "select id from public.kept") == "1"


def test_restart_changes_the_pids_of_one_service_alone(own: Suite) -> None:
    before = {entry["name"]: entry["pid"] for entry in own.run["processes"]}
    answer = command("restart", "agent", folder=own.folder)
    assert answer.returncode == 0, answer.stderr
    after = {entry["name"]: entry["pid"] for entry in own.run["processes"]}
    assert {name for name in before if before[name] != after[name]} == {"agent", "agent-1", "agent-worker"}


def test_an_unknown_service_is_answered_with_the_known_ones(own: Suite) -> None:
    answer = command("restart", "no one", folder=own.folder)
    assert answer.returncode == 1
    assert "agent-worker" in answer.stderr


def test_logs_show_the_lines_of_one_service(own: Suite) -> None:
    answer = command("logs", "agent-worker", folder=own.folder)
    assert answer.returncode == 0
    assert all(line.startswith("agent-worker | ") for line in answer.stdout.splitlines())


def test_a_second_runner_of_the_same_folder_is_refused(own: Suite) -> None:
    answer = command("daemon", "--free-ports", folder=own.folder)
    assert answer.returncode == 1
    assert "already runs" in answer.stdout


def test_down_leaves_nothing_and_up_finds_the_data(tmp_path: Path) -> None:
    suite = Suite(tmp_path).start()
    admin = suite.run["stores"]["postgres"]["adminUrl"]
    run_sql(admin, "create table public.kept (id int); insert into public.kept values (3)")
    all_pids = pids(suite)
    assert command("down", folder=suite.folder).returncode == 0
    wait_until_gone(all_pids, 2)
    suite.stop()
    assert command("status", folder=suite.folder).returncode == 3
    with Suite(tmp_path) as again:
        assert run_sql(again.run["stores"]["postgres"]["adminUrl"], "select id from public.kept") == "3"
    assert command("reset", folder=suite.folder).returncode == 0
    assert not (tmp_path / "data").exists()


def test_nothing_outlives_a_runner_killed_with_9_and_the_next_one_starts(tmp_path: Path) -> None:
    suite = Suite(tmp_path).start()
    all_pids = pids(suite)
    children = children_by_parent()
    below = [child for pid in all_pids for child in children.get(pid, [])]
    os.kill(all_pids[0], signal.SIGKILL)
    suite.stop()
    wait_until_gone([*all_pids, *below], 5)
    with Suite(tmp_path) as again:
        assert again.run["state"] == "ready"


def test_a_taken_port_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    from local.runner.topology import STORE_PORTS

    with socket.socket() as held:
        if is_free(STORE_PORTS["postgres"]):  # otherwise another suite of this machine holds it
            held.bind(("127.0.0.1", STORE_PORTS["postgres"]))
            held.listen()
        answer = command("up", folder=Folder(tmp_path))
    assert answer.returncode == 1
    assert re.match(rf"Port {STORE_PORTS['postgres']}, which postgres needs, is held by pid \d+ \(", answer.stderr)
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [(["--scale", "gateway=0"], {}, "SCALE"), ([], {"LIMITS": "none"}, "LIMITS=bench")],
)
def test_a_wrong_option_is_told_before_anything_starts(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "local", "up", "--var", str(tmp_path / "var"), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert answer.returncode == 1
    assert words in answer.stderr
    assert not (tmp_path / "var" / "data").exists()


def test_given_urls_replace_the_embedded_stores(tmp_path: Path) -> None:
    with Stores(tmp_path / "others") as others:
        run_sql(others.postgres_admin_dsn, "create database theirs")
        given = {
            "DATABASE_URL": others.postgres_admin_dsn.rpartition("/")[0] + "/theirs",
            "REDIS_URL": others.redis_url,
            "NATS_URL": others.nats_url,
        }
        with Suite(tmp_path / "suite", environment=given) as running:
            stores = running.run["stores"]
            assert [store["pid"] for store in stores.values()] == [None, None, None]
            assert stores["redis"]["url"] == others.redis_url
            assert "identity" in run_sql(given["DATABASE_URL"], "select nspname from pg_namespace").split()
            shown = command("status", folder=running.folder)
            assert shown.stdout.count(" external ") == 3
            assert shown.returncode == 0
        assert others.redis.ready()

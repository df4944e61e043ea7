"""What a new user does wrong in the first hour, and what the commands say: a sentence with its cause, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from libs.config import ServiceSettings
from local.processes.ports import free_ports
from local.runner.keys import Keys
from local.runner.ownership import require_own
from local.stores import StoreFailed, Stores, run_sql

ROOT = Path(__file__).resolve().parents[3]
STORE_VARIABLES = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "NATS_URL")


def local(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments], cwd=ROOT, env={**inherited, **environment}, input=typed,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    """What was said by a command that failed as it should."""
    said = answer.stdout + answer.stderr
    assert answer.returncode == 1, said
    assert "Traceback" not in said
    assert "secret" not in said.replace("secrets", "")
    return said


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a server that speaks another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def greet() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    link.sendall(b"220 mail.example ESMTP\r\n")
                    link.recv(1024)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("variable", STORE_VARIABLES)
def test_a_store_that_does_not_answer_is_named_with_its_variable_and_host(tmp_path: Path, variable: str) -> None:
    (closed,) = free_ports(1)
    scheme = {"REDIS_URL": "redis", "NATS_URL": "nats"}.get(variable, "postgresql")
    url = f"{scheme}://me:secret@127.0.0.1:{closed}/x"
    said = refused(local("up", "--free-ports", "--var", str(tmp_path / "var"), **{variable: url}))
    assert f"{variable} names 127.0.0.1:{closed}: " in said
    assert "refused" in said.lower()
    assert "reset" not in said


@pytest.mark.parametrize(
    ("variable", "url", "word"),
    [
        ("REDIS_URL", "redis://me:secret@nowhere.invalid:1", "no such host"),
        ("REDIS_URL", "http://127.0.0.1:{stranger}", "must begin with redis://"),
        ("REDIS_URL", "redis://127.0.0.1:{stranger}", "no Redis"),
        ("NATS_URL", "nats://127.0.0.1:{stranger}", "no NATS"),
        ("NATS_URL", "nats://127.0.0.1:port", "no URL"),
        ("DATABASE_URL", "mysql://127.0.0.1/x", "must begin with postgresql://"),
    ],
)
def test_an_address_of_something_else_is_told(
    tmp_path: Path, stranger: int, variable: str, url: str, word: str
) -> None:
    said = refused(local("up", "--var", str(tmp_path), "--free-ports", **{variable: url.format(stranger=stranger)}))
    assert f"{variable} names " in said
    assert word in said
    assert "reset" not in said


def test_a_wrong_password_and_a_small_role_are_told(tmp_path: Path, stores: Stores) -> None:
    parts = urlsplit(stores.postgres_admin_dsn)
    wrong = f"postgresql://postgres:secret@127.0.0.1:{parts.port}/postgres"
    said = refused(local("up", "--var", str(tmp_path), "--free-ports", DATABASE_URL=wrong))
    assert "DATABASE_URL names 127.0.0.1" in said
    assert "authentication" in said
    run_sql(stores.postgres_admin_dsn, "drop role if exists small; create role small login password 'small'")
    small = f"postgresql://small:small@127.0.0.1:{parts.port}/postgres"
    said = refused(local("up", "--var", str(tmp_path), "--free-ports", DATABASE_URL=small))
    assert "may not create roles" in said


async def test_a_database_of_another_checkout_is_told_before_its_passwords_change(
    stores: Stores, keys: Keys, service_settings: Callable[..., Awaitable[ServiceSettings]], tmp_path: Path
) -> None:
    await service_settings("billing")
    admin, file = stores.postgres_admin_dsn, tmp_path / "keys.json"
    require_own(admin, keys, file, {"DATABASE_URL": admin})
    with pytest.raises(StoreFailed, match="belongs to another checkout") as told:
        require_own(admin, Keys.ephemeral(), file, {"DATABASE_URL": admin})
    assert "ECHOSENSEIX_SECRETS" in str(told.value)
    assert "\n" not in str(told.value)
    assert "reset" not in str(told.value)
    with pytest.raises(StoreFailed, match="other secrets than"):
        require_own(admin, Keys.ephemeral(), file, {})


def test_reset_of_an_external_database_says_what_it_does_and_asks(tmp_path: Path, stores: Stores) -> None:
    run_sql(stores.postgres_admin_dsn, "drop database if exists asked")
    run_sql(stores.postgres_admin_dsn, "create database asked")
    url = stores.postgres_admin_dsn.rpartition("/")[0] + "/asked"
    run_sql(url, "create schema billing; create table billing.kept (id int); create schema others")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "keys.json").write_text("{}", encoding="utf-8")
    (tmp_path / "data").mkdir()

    for typed in ("", "yes\n", "other\n"):
        answer = local("reset", "--var", str(tmp_path), typed=typed, DATABASE_URL=url)
        assert answer.returncode == 1
        assert "nothing was changed" in answer.stderr
        assert "drops its schemas" in answer.stdout
        assert stores.postgres_password not in answer.stdout
        assert run_sql(url, "select to_regclass('billing.kept')") == "billing.kept"
        assert (tmp_path / "data").exists()

    answer = local("reset", "--var", str(tmp_path), typed="asked\n", DATABASE_URL=url)
    assert answer.returncode == 0, answer.stderr
    assert (
        run_sql(url, "select string_agg(nspname, ' ') from pg_namespace where nspname in ('billing', 'others')")
        == "others"
    )
    assert (tmp_path / "secrets" / "keys.json").exists()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["up", "dev", "status", "reset"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    answer = local(command, "--var", str(tmp_path / "file" / "var"))
    said = answer.stdout + answer.stderr
    assert answer.returncode != 0
    assert "Traceback" not in said
    assert str(tmp_path / "file") in said


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"SCALE": "gateway=0"}, "SCALE"),
        ({"SCALE": "unknown=2"}, "unknown"),
        ({"LIMITS": "none"}, "LIMITS"),
        ({"POOL_MAX": "many"}, "POOL_MAX"),
        ({"OUTBOUND_ALLOW": "everything"}, "OUTBOUND_ALLOW"),
        ({"SMTP_URL": "mail.example"}, "SMTP_URL"),
        ({"BLOBS_URL": "nowhere://x"}, "BLOBS_URL"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path, environment: dict[str, str], word: str) -> None:
    said = refused(local("up", "--var", str(tmp_path / "var"), "--free-ports", **environment))
    assert word in said
    assert "reset" not in said


def test_a_key_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "keys.json").write_text("{", encoding="utf-8")
    assert "keys.json is no JSON" in refused(local("up", "--var", str(tmp_path), "--free-ports"))


@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["logs"]])
def test_a_reader_that_leaves_early_sees_no_traceback(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "agent.log").write_text("a line\n" * 100_000, encoding="utf-8")
    var = ["--var", str(tmp_path)] if arguments[0] in ("status", "logs") else []
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(
        [sys.executable, "-m", "local", *arguments, *var], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(writer)
    assert "Traceback" not in answer.stderr
    assert "BrokenPipe" not in answer.stderr

"""What a failed start says: the cause, and an advice only where it helps."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runner.external import place
from local.runner.folder import Folder
from local.runner.health import unhealthy_reason
from local.runner.keys import Keys
from local.runner.runner import Options, Runner
from local.runner.topology import Scale
from local.stores import StoreFailed

EXTERNAL = {"DATABASE_URL": "postgresql://admin:secret@db.example:5433/app"}
HISTORY = "agent: MigrationError: 0002_x has changed since it was applied: restore it and add a new migration"
FULL = 'agent: DiskFullError: could not extend file "base/5/1": No space left on device'


def runner(folder: Path, given: dict[str, str]) -> Runner:
    return Runner(Folder(folder), Options(Scale(), free_ports=True, given=given), lambda line: None)


def test_beginning_anew_is_advised_only_where_it_helps(tmp_path: Path) -> None:
    embedded, external = runner(tmp_path / "a", {}), runner(tmp_path / "b", EXTERNAL)
    assert "make reset" in embedded._migration_failure(HISTORY)
    for text in (
        external._migration_failure(HISTORY),
        external._migration_failure(FULL),
        embedded._migration_failure(FULL),
        embedded._migration_failure("agent: ConnectionDoesNotExistError: closed"),
    ):
        assert "reset" not in text
    assert "disk is full" in embedded._migration_failure(FULL)


@pytest.mark.parametrize(
    "changed",
    [
        {"DATABASE_URL": "postgresql://other/app"},
        {"REDIS_URL": "redis://other"},
        {"NATS_URL": "nats://other"},
        {"SMTP_URL": "smtp://other"},
        {"ECHOSENSEIX_SECRETS": "/elsewhere"},
        {"BLOBS_URL": "s3://bucket", "AWS_REGION": "eu-1"},
    ],
)
def test_a_changed_setting_is_another_run(changed: dict[str, str]) -> None:
    def requested(given: dict[str, str]) -> dict[str, str]:
        return Options(Scale(), free_ports=True, given=given).requested

    assert requested(EXTERNAL) != requested({**EXTERNAL, **changed})
    assert requested(EXTERNAL) == requested({**EXTERNAL, "HOME": "/another", "REDIS_URL": ""})
    assert "secret" not in json.dumps(requested(EXTERNAL))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://admin:secret@db.example:5433/app", "db.example:5433"),
        ("redis://:secret@cache", "cache"),
        ("nats://u:secret@a:4222,nats://u:secret@b:4222", "a:4222, b:4222"),
        ("redis://host:port", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert place(url) == shown


def test_secrets_may_lie_elsewhere_and_broken_ones_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Folder(tmp_path / "var").keys_file == tmp_path / "var" / "secrets" / "keys.json"
    monkeypatch.setenv("ECHOSENSEIX_SECRETS", str(tmp_path / "my secrets"))
    file = Folder(tmp_path / "var").keys_file
    assert file == tmp_path / "my secrets" / "keys.json"
    made = Keys.load_or_create(file)
    assert Keys.load_or_create(file) == made
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("{broken", encoding="utf-8")
    with pytest.raises(StoreFailed, match="is no JSON"):
        Keys.load_or_create(file)


class Sick(http.server.BaseHTTPRequestHandler):
    answers: list[tuple[int, object]]

    def do_GET(self) -> None:
        status, body = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Nothing is written while tests run."""


@pytest.fixture
def gateway() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Sick) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_suite_that_is_not_healthy_names_the_store_it_misses(gateway: str) -> None:
    sick = {
        "status": "unhealthy",
        "connections": {"database": "connected", "redis": "disconnected", "queue": "connected"},
    }
    stores = {"DATABASE_URL": "postgresql://d", "REDIS_URL": "redis://:secret@cache:6379", "NATS_URL": "nats://q"}
    Sick.answers = [(503, sick)]
    assert unhealthy_reason(gateway, stores, 0) == "redis is disconnected (REDIS_URL: cache:6379)"
    Sick.answers = [(503, {"connections": dict.fromkeys(("database", "redis", "queue"), "connected")})]
    assert "a service does not answer" in unhealthy_reason(gateway, stores, 0)
    Sick.answers = [(503, sick), (200, {"status": "healthy"})]
    assert unhealthy_reason(gateway, stores, 5) == ""


def test_a_gateway_that_is_gone_is_told(gateway: str) -> None:
    assert "does not answer" in unhealthy_reason("http://127.0.0.1:1", {}, 0)

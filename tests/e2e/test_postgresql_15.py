"""The suite on the oldest PostgreSQL that it promises, Debian's 15, which has no pgvector: it searches by keyword."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.processes.ports import free_ports
from local.processes.process import Child, Command
from local.runner.suite import Suite
from local.stores import run_sql
from tests.patience import PATIENCE_SECONDS

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
VECTOR = Path("/usr/share/postgresql/15/extension/vector.control")

pytestmark = [
    pytest.mark.skipif(not (PROGRAMS / "initdb").exists(), reason="Debian's postgresql-15 is not installed"),
    pytest.mark.skipif(VECTOR.exists(), reason="this PostgreSQL 15 has pgvector"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of its administrator."""
    folder = tmp_path_factory.mktemp("postgresql15")
    password = folder / "password"
    password.write_text("local", encoding="ascii")
    init = [PROGRAMS / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "scram-sha-256"]
    options = [f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    made = Child(Command("initdb", [*map(str, init), *options], folder / "initdb.log", never_root=True))
    made.start()
    assert made.wait(60), (folder / "initdb.log").read_text("utf-8")
    (port,) = free_ports(1)
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 300}
    argv = [str(PROGRAMS / "postgres"), "-D", str(folder / "data")]
    argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = Child(Command("postgres15", argv, folder / "postgres.log", never_root=True))
    server.start()
    url = f"postgresql://postgres:local@127.0.0.1:{port}/postgres"
    try:
        yield _answering(url)
    finally:
        server.kill()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _answering(url: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            assert run_sql(url, "show server_version_num").startswith("15")
            return url
        except RuntimeError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def http(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("suite on 15")  # with a space, as a home folder may have
    with (
        Suite(folder, environment={"LIMITS": "bench", "DATABASE_URL": database}) as suite,
        httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=30) as client,
    ):
        yield client


def test_a_document_is_found_by_keyword_and_the_other_modes_say_what_they_are(http: httpx.Client) -> None:
    text = b"The ferry to Ostmar leaves at half past nine from the north quay."
    taken = http.post("/api/documents/upload", files={"document": ("ferry.txt", text)})
    assert taken.status_code == 202, taken.text
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status := http.get(f"/api/documents/{taken.json()['documentId']}/status").json())["status"] == "processing":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status["status"] == "completed", status

    def search(mode: str) -> httpx.Response:
        return http.post("/api/knowledge-base/search", json={"query": "ferry Ostmar", "mode": mode})

    keyword, hybrid, vector = search("keyword"), search("hybrid"), search("vector")
    assert "half past nine" in keyword.json()["results"][0]["text"]
    assert keyword.json()["fallbackReason"] is None
    assert "half past nine" in hybrid.json()["results"][0]["text"]
    assert (hybrid.json()["mode"], hybrid.json()["fallbackReason"]) == ("keyword", "vector_search_unavailable")
    assert (vector.status_code, vector.json()["code"]) == (501, "vector_search_unavailable")
    assert http.get("/health").json()["status"] == "healthy"


def test_the_rest_of_the_suite_works(http: httpx.Client) -> None:
    agent = http.post("/api/agents", json={"name": "Harbour desk"})
    assert agent.status_code == 201
    assert http.post(f"/api/agents/{agent.json()['id']}/publish", json={}).status_code == 201
    assert [row["name"] for row in http.get("/api/agents", params={"search": "harbour"}).json()["data"]] == [
        "Harbour desk"
    ]
    assert http.get("/api/call-logs").status_code == 200
    assert http.get("/api/billing/balance").status_code == 200
    assert http.get("/api/events").json()["data"]

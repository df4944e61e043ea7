"""What operators and clients see of the machinery: jobs over all services, queues, health, metrics, the document."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.runner.suite import Suite
from suite.services import SERVICES
from tests.patience import PATIENCE_SECONDS
from tests.receivers import SILENT, first_free

from .conftest import Customer, problem


@pytest.fixture(scope="module")
def busy(ada: Customer) -> list[str]:
    """The ids of jobs in two services: documents that are processed, and a test delivery that finds no one."""
    ids = []
    for number in range(5):
        answer = ada.http.post("/api/documents/upload", files={"document": (f"{number}.txt", b"Some words to keep.")})
        ids.append(answer.json()["jobId"])
        body = {"url": f"http://127.0.0.1:{SILENT[number]}/none", "eventTypes": ["call.ended"]}
        endpoint = ada.http.post("/api/webhook-endpoints", json=body).json()["id"]
        ids.append(ada.http.post(f"/api/webhook-endpoints/{endpoint}/test").json()["jobId"])
    return ids


def walked(customer: Customer, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    answer = customer.http.get(path, params={"cursor": "", **params})
    while True:
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        if "next" not in answer.links:
            return rows
        answer = customer.http.get(answer.links["next"]["url"])


def test_jobs_of_all_services_make_one_list(ada: Customer, busy: list[str]) -> None:
    rows = walked(ada, "/api/jobs", limit=3)
    keys = [(row["createdAt"], row["id"]) for row in rows]
    assert keys == sorted(keys, key=lambda key: key[0], reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    assert set(busy) <= {row["id"] for row in rows}
    assert {"knowledge", "realtime"} <= {row["service"] for row in rows}
    first = ada.http.get("/api/jobs", params={"limit": 4}).json()
    assert first["total"] >= len(busy)
    assert first["totalPages"] == -(-first["total"] // 4)
    by_kind = walked(ada, "/api/jobs", kind="document.process", limit=2)
    assert {row["kind"] for row in by_kind} == {"document.process"}
    assert len(by_kind) == 5


def test_a_job_is_found_at_its_owner_and_not_elsewhere(ada: Customer, bob: Customer, busy: list[str]) -> None:
    for job_id in busy:
        job = ada.http.get(f"/api/jobs/{job_id}").json()
        wire = {
            "id",
            "kind",
            "queue",
            "state",
            "progress",
            "attempt",
            "maxAttempts",
            "error",
            "createdAt",
            "startedAt",
            "finishedAt",
        }
        assert wire <= set(job)
        theirs = problem(bob.http.get(f"/api/jobs/{job_id}"), 404, "job_not_found")
        absent = problem(bob.http.get(f"/api/jobs/{job_id[:-4]}0000"), 404, "job_not_found")
        assert {**theirs, "instance": "", "requestId": ""} == {**absent, "instance": "", "requestId": ""}
        problem(bob.http.post(f"/api/jobs/{job_id}/cancel"), 404, "job_not_found")
    for nonsense in ("job_no_one_" + "0" * 26, "x", "job_", "agt_1"):
        problem(ada.http.get(f"/api/jobs/{nonsense}"), 404, "job_not_found")


def test_a_waiting_job_is_cancelled_and_run_again(ada: Customer, busy: list[str]) -> None:
    job_id = next(one for one in busy if "_realtime_" in one)
    cancelled = ada.http.post(f"/api/jobs/{job_id}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ada.http.get(f"/api/jobs/{job_id}").json()["state"] != "cancelled":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = ada.http.post(f"/api/jobs/{job_id}/retry")
    assert again.status_code == 202
    assert again.headers["location"] == f"/api/jobs/{job_id}"


def test_a_key_sees_the_jobs_of_its_areas_only(ada: Customer, busy: list[str]) -> None:
    reader = ada.bearing(ada.key("knowledge:read")["secret"])
    assert {row["service"] for row in reader.get("/api/jobs").json()["data"]} == {"knowledge"}
    problem(reader.get(f"/api/jobs/{next(one for one in busy if '_realtime_' in one)}"), 403, "missing_scope")
    document = next(one for one in busy if "_knowledge_" in one)
    assert reader.get(f"/api/jobs/{document}").status_code == 200
    problem(reader.post(f"/api/jobs/{document}/cancel"), 403, "missing_scope")


def test_bad_job_queries(ada: Customer, bob: Customer, busy: list[str]) -> None:
    for query in ("state=gone", "state=", "sort=kind", "page=0", "limit=999", "nothing=1"):
        problem(ada.http.get(f"/api/jobs?{query}"), 400, "invalid_query")
    cursor = ada.http.get("/api/jobs?limit=1").json()["nextCursor"]
    for client, query in (
        (ada.http, f"cursor={cursor}&state=failed"),
        (bob.http, f"cursor={cursor}"),
        (ada.http, "cursor=x"),
    ):
        problem(client.get(f"/api/jobs?{query}"), 400, "invalid_cursor")


def test_queues_are_paused_for_their_own_organization(ada: Customer, bob: Customer, busy: list[str]) -> None:
    queues = {(row["service"], row["name"]) for row in walked(ada, "/api/admin/queues", limit=5)}
    assert {("knowledge", "documents"), ("realtime", "webhooks")} <= queues
    path = "/api/admin/queues/knowledge/documents"
    assert ada.http.post(f"{path}/pause").json()["paused"] is True
    theirs = bob.http.post("/api/documents/upload", files={"document": ("p.txt", b"Not paused.")}).json()["jobId"]
    mine = ada.http.post("/api/documents/upload", files={"document": ("p.txt", b"Paused.")}).json()["jobId"]
    assert settled(bob, theirs) == "completed"
    assert ada.http.get(f"/api/jobs/{mine}").json()["state"] == "queued"
    assert ada.http.post(f"{path}/resume").json()["paused"] is False
    assert settled(ada, mine) == "completed"
    for wrong in ("no one/documents", "knowledge/nothing"):
        problem(ada.http.post(f"/api/admin/queues/{wrong}/pause"), 404, "queue_not_found")


def settled(customer: Customer, job_id: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        state: str = customer.http.get(f"/api/jobs/{job_id}").json()["state"]
        if state in ("completed", "failed", "cancelled"):
            return state
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_dead_letters_are_listed_and_replayed(ada: Customer, bob: Customer) -> None:
    broken = ada.http.post(
        "/api/documents/upload", files={"document": ("broken.pdf", b"%PDF-1.7 no more than this")}
    ).json()
    assert settled(ada, broken["jobId"]) == "failed"
    dead = walked(ada, "/api/admin/dead-letters", kind="document.process")
    assert [row["id"] for row in dead] == [broken["jobId"]]
    assert dead[0]["error"]["code"]
    assert bob.http.post("/api/admin/dead-letters/replay", json={"ids": [broken["jobId"]]}).json() == {"replayed": 0}
    assert ada.http.post("/api/admin/dead-letters/replay", json={"ids": [broken["jobId"]]}).json() == {"replayed": 1}
    problem(ada.http.post("/api/admin/dead-letters/replay", json={"ids": ["job_x"]}), 404, "job_not_found")
    problem(ada.http.post("/api/admin/dead-letters/replay", json={}), 422, "validation_failed")


def test_every_service_s_worker_has_registered_its_schedules(ada: Customer) -> None:
    rows = walked(ada, "/api/admin/schedules", limit=2)
    assert {(row["name"], row["kind"]) for row in rows} == {
        ("analytics-hourly", "analytics.aggregate"),
        ("analytics-daily", "analytics.aggregate"),
        ("audit-forget", "audit.forget"),
        ("audit-seal", "audit.seal"),
        ("calls-missed", "call.reconcile"),
        ("document.reconcile", "document.reconcile"),
        ("host-check", "host.check"),
        ("index.refresh", "index.refresh"),
        ("index.sweep", "index.sweep"),
        ("rating-missed", "billing.calculate"),
        ("retention-sweep", "retention.sweep"),
        ("session-sweep", "session.sweep"),
        ("source.schedule", "source.schedule"),
        ("top-ups-sweep", "retention.sweep"),
        ("webhooks-sweep", "retention.sweep"),
    }


class Gone(http.server.BaseHTTPRequestHandler):
    """A receiver of webhooks that answers that no one listens there any more."""

    def do_POST(self) -> None:
        self.send_response(410)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def gone() -> Iterator[str]:
    """The address of such a receiver, on a free port that the local suite may deliver to."""
    with first_free(lambda port: http.server.HTTPServer(("127.0.0.1", port), Gone)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook-with-a-secret"
        server.shutdown()
        thread.join()


def test_the_mailbox_shows_the_letter_about_an_endpoint_that_is_gone(ada: Customer, bob: Customer, gone: str) -> None:
    assert bob.http.get("/api/admin/mail").json()["data"] == []
    body = {"url": gone, "eventTypes": ["agent.created"]}
    endpoint = bob.http.post("/api/webhook-endpoints", json=body).json()["id"]
    bob.agent()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (mails := bob.http.get("/api/admin/mail").json()["data"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [mail] = mails
    assert (mail["to"], mail["subject"]) == ([bob.email], "A webhook endpoint was disabled")
    assert endpoint in mail["text"]
    assert "127.0.0.1" in mail["text"]
    assert "secret" not in mail["text"]
    shown = bob.http.get(f"/api/webhook-endpoints/{endpoint}").json()
    assert (shown["status"], shown["disabledReason"]) == ("disabled", "gone")
    assert ada.http.get("/api/admin/mail").json()["data"] == []


@pytest.fixture(scope="module")
def gateway_ops(suite: Suite) -> str:
    """The operations address of the gateway, as run.json names it."""
    processes = suite.folder.read_run()["processes"]
    return next(str(process["ops"]) for process in processes if process["service"] == "gateway")


def test_health_has_the_papers_four_keys(ada: Customer, gateway_ops: str) -> None:
    answer = ada.bearing(None).get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"status", "uptime", "connections", "pool"}
    assert body["status"] == "healthy"
    assert isinstance(body["uptime"], int)
    assert body["connections"] == {"database": "connected", "redis": "connected", "queue": "connected"}
    assert set(body["pool"]) == {"total", "idle", "active"}
    assert body["pool"]["total"] == 60
    assert body["pool"]["idle"] + body["pool"]["active"] <= 60
    services = httpx.get(f"{gateway_ops}/health/services").json()["services"]
    assert [service["service"] for service in services] == list(SERVICES)
    assert {service["status"] for service in services} == {"healthy"}


def test_metrics_have_the_papers_nine(ada: Customer, gateway_ops: str) -> None:
    ada.http.get("/api/agents")
    ada.http.get("/api/agents?page=0")
    text = httpx.get(f"{gateway_ops}/metrics").text
    figures = dict(re.findall(r"^([a-z0-9_]+(?:\{[^}]*\})?) ([0-9.e+-]+)$", text, re.MULTILINE))
    assert float(figures["http_requests_per_second"]) > 0
    assert float(figures['http_response_seconds{quantile="0.95"}']) > 0
    assert float(figures['http_errors_per_second{status_class="4xx"}']) > 0
    assert float(figures['http_errors_per_second{status_class="5xx"}']) >= 0
    assert float(figures['suite_db_pool_connections{service="agent",state="total"}']) == 10
    assert 0 < float(figures["suite_cache_hit_ratio"]) <= 1
    assert float(figures['suite_job_run_p95_seconds{queue="documents",service="knowledge"}']) > 0
    assert float(figures["suite_realtime_sockets"]) == 0
    for service in SERVICES:
        assert re.search(
            rf'^suite_memory_bytes\{{instance="[^"]+",service="{service}"\}} [0-9.e+]+$', text, re.MULTILINE
        )
        assert re.search(
            rf'^suite_cpu_seconds\{{instance="[^"]+",service="{service}"\}} [0-9.e+]+$', text, re.MULTILINE
        )
    assert ada.organization["id"] not in text


def test_a_request_id_is_kept_and_shown(ada: Customer) -> None:
    given = ada.http.get("/api/agents/none", headers={"X-Request-Id": "mine-1.2_3"})
    assert given.headers["x-request-id"] == given.json()["requestId"] == "mine-1.2_3"


def test_the_document_describes_what_is_answered(ada: Customer) -> None:
    document: dict[str, Any] = httpx.get(f"{ada.url}/openapi.json").json()
    for path, name in (("/api/agents", "AgentRowList"), ("/api/jobs", "JobRowList"), ("/api/auth/user", "CurrentUser")):
        shape = document["components"]["schemas"][name]
        assert set(ada.http.get(path).json()) == set(shape["properties"]) == set(shape["required"])


def test_the_operations_port_draws_the_last_hour(suite: Suite) -> None:
    ops = next(entry["ops"] for entry in suite.run["processes"] if entry["role"] == "gateway")
    page = httpx.get(f"{ops}/charts")
    assert page.headers["content-type"].startswith("text/html")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (points := httpx.get(f"{ops}/charts.json").json()["points"]) or set(points[-1]["memoryMib"]) != set(
        SERVICES
    ):
        assert time.monotonic() < deadline, points
        time.sleep(0.5)

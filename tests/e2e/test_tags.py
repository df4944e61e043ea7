"""Entity tags: equal strong tags mean equal bytes, and a delete is bound to the version that its writer knows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.receivers import SILENT

from .conftest import Customer, problem


def watch(ada: Customer, path: str, is_over: Any) -> dict[str, bytes]:
    """The bytes of every tag that a resource shows until it is over; fails when one tag names two."""
    seen: dict[str, bytes] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = ada.http.get(path, headers={"Accept-Encoding": "identity", "X-Min-Version": "1"})
        assert answer.status_code == 200, answer.text
        assert seen.setdefault(answer.headers["etag"], answer.content) == answer.content
        if is_over(answer.json()):
            return seen
    raise AssertionError(f"{path} did not change")


def test_a_tag_names_one_content_while_a_document_is_processed(ada: Customer) -> None:
    uploaded = ada.http.post("/api/documents/upload", files={"document": ("a.txt", b"Words. " * 5_000)}).json()
    path = f"/api/knowledge-base/entries/{uploaded['entryId']}"
    assert watch(ada, path, lambda entry: entry["status"] == "completed")


def test_a_tag_names_one_content_while_a_key_is_used(ada: Customer) -> None:
    made = ada.key("agents:read")
    path = f"/api/api-keys/{made['id']}"
    before = ada.http.get(path)
    assert ada.bearing(made["secret"]).get("/api/agents").status_code == 200
    seen = watch(ada, path, lambda key: key["lastUsedAt"] is not None)
    assert len({before.headers["etag"], *seen}) == 2
    # The version is the same, so the older tag still allows a write.
    assert ada.http.delete(path, headers={"If-Match": before.headers["etag"]}).status_code == 204


def made(ada: Customer, kind: str) -> str:
    if kind == "api-keys":
        return f"/api/api-keys/{ada.key('agents:read')['id']}"
    if kind == "webhook-endpoints":
        sent = {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
        return str(ada.http.post("/api/webhook-endpoints", json=sent).headers["location"])
    if kind == "integrations":
        ada.http.put("/api/integrations/retell", json={"credentials": {"apiKey": "key_0123456789"}})
        return "/api/integrations/retell"
    if kind == "agents":
        return f"/api/agents/{ada.agent()['id']}"
    entry = ada.http.post("/api/knowledge-base/entries", json={"title": "t", "content": "Words."})
    return str(entry.headers["location"])


@pytest.mark.parametrize("kind", ["api-keys", "webhook-endpoints", "integrations", "agents", "entries"])
def test_a_delete_of_another_version_is_refused_and_of_this_one_happens(ada: Customer, kind: str) -> None:
    path = made(ada, kind)
    problem(ada.http.delete(path, headers={"If-Match": '"999"'}), 412, "stale_version")
    answer = ada.http.get(path)
    assert answer.status_code == 200
    unchanged = ada.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code in (200, 304)
    for _ in range(20):  # an entry may be processed meanwhile
        gone = ada.http.delete(path, headers={"If-Match": ada.http.get(path).headers["etag"]})
        if gone.status_code != 412:
            break
    assert gone.status_code == 204


def test_of_a_change_and_a_delete_at_once_under_one_tag_one_happens(ada: Customer) -> None:
    """The gateway's look at the version comes before the write, so only the write's transaction can tell."""
    for _ in range(10):
        path = made(ada, "webhook-endpoints")
        tag = {"If-Match": ada.http.get(path).headers["etag"]}
        with ThreadPoolExecutor(2) as pool:
            changing = pool.submit(ada.http.patch, path, json={"description": "new"}, headers=tag)
            deleting = pool.submit(ada.http.delete, path, headers=tag)
        statuses = {changing.result().status_code, deleting.result().status_code}
        assert statuses in ({200, 412}, {204, 404}), statuses

"""Agents on the running suite: the draft, what is published of it, lists in both modes, conditions, repeats."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Customer, problem

LIST_KEYS = {"data", "page", "limit", "total", "totalPages", "totalIsEstimate", "hasMore", "nextCursor"}


def test_an_agent_is_made_read_and_deleted(ada: Customer) -> None:
    content = {
        "name": "Reception",
        "description": "Answers",
        "systemPrompt": "You answer the phone.",
        "firstMessage": "Hello",
        "language": "en",
        "voiceId": "v1",
        "llm": {"model": "gpt-4o", "temperature": 0.4, "maxTokens": 400},
        "tags": ["sales", "day"],
        "dynamicVariables": {"name": "Ada", "count": 3, "ratio": 0.5, "open": True},
        "maxDurationSeconds": 900,
    }
    answer = ada.http.post("/api/agents", json=content)
    assert answer.status_code == 201
    made = answer.json()
    assert made.items() >= content.items()
    assert (made["status"], made["publishedVersion"], made["version"]) == ("draft", None, 1)
    assert answer.headers["location"] == f"/api/agents/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert ada.http.get(answer.headers["location"]).json() == made
    assert ada.http.delete(answer.headers["location"]).status_code == 204
    problem(ada.http.get(answer.headers["location"]), 404, "agent_not_found")
    problem(ada.http.delete(answer.headers["location"]), 404, "agent_not_found")


@pytest.mark.parametrize("kind", ["agent", "entry"])
def test_what_an_edit_answered_is_read_from_the_cache(ada: Customer, kind: str) -> None:
    """Written through to Redis. On a busy machine Redis may take longer than the writer waits: then the read loads."""
    if kind == "agent":
        path = f"/api/agents/{ada.agent()['id']}"
    else:
        body = {"title": "Hours", "content": "We open at nine."}
        path = ada.http.post("/api/knowledge-base/entries", json=body).headers["location"]
    named = "title" if kind == "entry" else "name"
    found = []
    for number in range(5):
        edited = ada.http.patch(
            path, json={named: f"Edited {number}"}, headers={"Content-Type": "application/merge-patch+json"}
        )
        version = edited.headers["etag"].strip('"').partition("-")[0]
        read = ada.http.get(path, headers={"X-Min-Version": version})
        assert (read.json(), read.headers["etag"]) == (edited.json(), edited.headers["etag"])
        found.append(read.headers["x-cache"])
    assert "HIT" in found


def test_a_merge_patch_sets_clears_and_merges(ada: Customer) -> None:
    made = ada.agent(
        description="d",
        llm={"model": "m", "temperature": 0.5},
        tags=["a"],
        dynamicVariables={"a": 1, "b": 2},
        maxDurationSeconds=60,
    )
    path = f"/api/agents/{made['id']}"
    patch = {
        "description": None,
        "maxDurationSeconds": None,
        "llm": {"temperature": None, "maxTokens": 9},
        "dynamicVariables": {"a": None, "c": "x"},
    }
    changed = ada.http.patch(path, json=patch, headers={"Content-Type": "application/merge-patch+json"}).json()
    assert (made["maxDurationSeconds"], changed["maxDurationSeconds"], changed["description"]) == (60, None, None)
    assert changed["llm"] == {"model": "m", "temperature": None, "maxTokens": 9}
    assert changed["dynamicVariables"] == {"b": 2, "c": "x"}
    assert changed["tags"] == ["a"]
    assert changed["version"] == 2
    cleared = ada.http.patch(path, json={"llm": None, "tags": None, "dynamicVariables": None}).json()
    assert cleared["llm"] == {"model": None, "temperature": None, "maxTokens": None}
    assert (cleared["tags"], cleared["dynamicVariables"]) == ([], {})


def test_an_empty_patch_changes_nothing(ada: Customer) -> None:
    made = ada.agent()
    answer = ada.http.patch(f"/api/agents/{made['id']}", json={})
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, made, '"1"')
    stale = ada.http.patch(f"/api/agents/{made['id']}", json={}, headers={"If-Match": '"9"'})
    problem(stale, 412, "stale_version")


def test_publishing_freezes_the_draft_under_the_next_number(ada: Customer) -> None:
    made = ada.agent(systemPrompt="one")
    path = f"/api/agents/{made['id']}"
    first = ada.http.post(f"{path}/publish", json={"description": "first"})
    assert first.status_code == 201
    assert first.json().items() >= {"version": 1, "agentId": made["id"], "description": "first"}.items()
    assert first.headers["location"] == f"{path}/versions/1"
    ada.http.patch(path, json={"systemPrompt": "two"})
    agent = ada.http.get(path).json()
    assert (agent["status"], agent["publishedVersion"], agent["hasUnpublishedChanges"]) == ("active", 1, True)
    assert ada.http.get(f"{path}/draft").json()["systemPrompt"] == "two"
    assert ada.http.post(f"{path}/publish").json()["version"] == 2
    frozen = [ada.http.get(f"{path}/versions/{n}").json()["configuration"]["systemPrompt"] for n in (1, 2)]
    assert frozen == ["one", "two"]
    rows = ada.http.get(f"{path}/versions").json()["data"]
    assert [(row["version"], row["configuration"]) for row in rows] == [(2, None), (1, None)]
    for version in ("3", "0", "x", "99999999999"):
        problem(ada.http.get(f"{path}/versions/{version}"), 404, "agent_version_not_found")


def test_publishing_at_once_leaves_no_gap(ada: Customer) -> None:
    path = f"/api/agents/{ada.agent()['id']}"
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ada.http.post(f"{path}/publish"), range(8)))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 9))


def test_a_copy_is_a_draft_of_its_own(ada: Customer) -> None:
    made = ada.agent(systemPrompt="p", externalAgentId="ext-1")
    copy = ada.http.post(f"/api/agents/{made['id']}/duplicate", json={})
    assert copy.status_code == 201
    assert copy.json()["name"] == "An agent (copy)"
    assert copy.json()["id"] != made["id"]
    assert (copy.json()["systemPrompt"], copy.json()["externalAgentId"]) == ("p", None)
    assert ada.http.post(f"/api/agents/{made['id']}/duplicate", json={"name": "Two"}).json()["name"] == "Two"


def test_an_external_id_ties_the_agent_to_a_provider(ada: Customer) -> None:
    made = ada.agent()
    tied = ada.http.patch(f"/api/agents/{made['id']}", json={"externalAgentId": "agent_" + secrets.token_hex(4)}).json()
    assert tied["provider"] == "elevenlabs"


def test_what_moves_between_versions_is_always_read_in_full(ada: Customer) -> None:
    """An API key's last use, an endpoint's last failure: their version stands while they change."""
    key = ada.http.post("/api/api-keys", json={"name": "moving", "scopes": ["agents:read"]})
    hook = ada.http.post("/api/webhook-endpoints", json={"url": "https://example.com/", "eventTypes": ["call.*"]})
    for made in (key, hook):
        path, tag = made.headers["location"], made.headers["etag"]
        assert ada.http.get(path, headers={"If-None-Match": tag}).json()["id"] == made.json()["id"]
        assert ada.http.get(path, headers={"If-Match": '"9"'}).status_code == 412
    shown = ada.http.get(hook.headers["location"]).json()
    assert (shown["failingSince"], shown["exhaustedDeliveries"]) == (None, 0)
    assert ada.http.delete(key.headers["location"]).status_code == 204
    assert ada.http.delete(hook.headers["location"]).status_code == 204


def test_conditional_reads_and_writes(ada: Customer) -> None:
    made = ada.agent(systemPrompt="x" * 3000)
    path = f"/api/agents/{made['id']}"
    for tag in ('"1"', 'W/"1"', '"1-gzip"', '"0", "1-zstd"', "*"):
        unchanged = ada.http.get(path, headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == '"1"'
    assert ada.http.get(path, headers={"If-None-Match": '"2"'}).status_code == 200
    assert ada.http.get(path, headers={"Accept-Encoding": "gzip"}).headers["etag"] == '"1-gzip"'
    for tag in ('"1-gzip"', "*", '"3-zstd", "7"', '"4"'):
        assert ada.http.patch(path, json={"description": tag}, headers={"If-Match": tag}).status_code == 200, tag
    for tag in ('"1"', 'W/"5"', "5", '"x"', '"1", "7"'):
        problem(ada.http.patch(path, json={"description": "n"}, headers={"If-Match": tag}), 412, "stale_version")
        problem(ada.http.delete(path, headers={"If-Match": tag}), 412, "stale_version")
    problem(ada.http.get(path, headers={"If-Match": '"1"'}), 412, "stale_version")
    assert ada.http.delete(path, headers={"If-Match": '"5"'}).status_code == 204


def test_of_writers_who_insist_on_one_version_one_wins(ada: Customer) -> None:
    path = f"/api/agents/{ada.agent()['id']}"

    def change(number: int) -> int:
        return ada.http.patch(path, json={"description": str(number)}, headers={"If-Match": '"1"'}).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(change, range(8)))
    assert statuses == [200] + [412] * 7


@pytest.fixture(scope="module")
def crowd(customer: Callable[[], Customer]) -> Customer:
    """A customer with 25 agents, every fifth with a tag."""
    made = customer()
    for number in range(25):
        made.agent(name=f"Agent {number:02d}", tags=["fifth"] if number % 5 == 0 else [])
    return made


def test_a_list_by_number_has_all_its_keys_and_links(crowd: Customer) -> None:
    answer = crowd.http.get("/api/agents", params={"page": 2, "limit": 10})
    body = answer.json()
    assert set(body) == LIST_KEYS
    assert (body["page"], body["limit"], body["total"], body["totalPages"], body["hasMore"]) == (2, 10, 25, 3, True)
    assert body["totalIsEstimate"] is False
    assert [row["name"] for row in body["data"]] == [f"Agent {number:02d}" for number in range(14, 4, -1)]
    assert "systemPrompt" not in body["data"][0]
    assert set(answer.links) == {"first", "prev", "next", "last"}
    following = crowd.http.get(answer.links["next"]["url"]).json()
    assert (following["page"], len(following["data"]), following["hasMore"]) == (3, 5, False)
    assert following["nextCursor"] is None


def test_past_the_end_is_an_empty_page(crowd: Customer) -> None:
    body = crowd.http.get("/api/agents", params={"page": 9, "limit": 10}).json()
    assert (body["data"], body["page"], body["total"], body["hasMore"]) == ([], 9, 25, False)


def test_a_list_by_cursor_walks_the_same_rows(crowd: Customer) -> None:
    seen: list[str] = []
    answer = crowd.http.get("/api/agents", params={"cursor": "", "limit": 7})
    while True:
        body = answer.json()
        assert set(body) == LIST_KEYS
        assert (body["page"], body["total"], body["totalPages"]) == (None, None, None)
        assert body["hasMore"] == (body["nextCursor"] is not None) == ("next" in answer.links)
        seen += [row["name"] for row in body["data"]]
        if not body["hasMore"]:
            break
        answer = crowd.http.get(answer.links["next"]["url"])
    assert seen == [f"Agent {number:02d}" for number in range(24, -1, -1)]
    counted = crowd.http.get("/api/agents", params={"cursor": "", "limit": 7, "includeTotal": "true"}).json()
    assert counted["total"] == 25


def test_a_page_leads_on_by_cursor(crowd: Customer) -> None:
    first = crowd.http.get("/api/agents", params={"limit": 10}).json()
    second = crowd.http.get("/api/agents", params={"limit": 10, "cursor": first["nextCursor"]}).json()
    by_number = crowd.http.get("/api/agents", params={"limit": 10, "page": 2}).json()
    assert second["data"] == by_number["data"]


def test_lists_are_filtered_searched_and_sorted(crowd: Customer) -> None:
    def names(**params: Any) -> list[str]:
        return [row["name"] for row in crowd.http.get("/api/agents", params=params).json()["data"]]

    assert names(tags="fifth", sort="name", order="asc") == [f"Agent {number:02d}" for number in range(0, 25, 5)]
    assert names(search="agent 07") == ["Agent 07"]
    assert names(status="active") == []
    assert len(names(status="draft")) == 25
    assert names(provider="elevenlabs") == names(platform="elevenlabs") == []
    middle = crowd.http.get("/api/agents", params={"search": "agent 12"}).json()["data"][0]["createdAt"]
    newer, older = names(createdAtGe=middle), names(createdAtLt=middle)
    assert set(newer) | set(older) == set(names())
    assert not set(newer) & set(older)


def test_a_repeated_write_has_one_effect(ada: Customer) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    name = "Once " + headers["Idempotency-Key"]
    first = ada.http.post("/api/agents", json={"name": name}, headers=headers)
    again = ada.http.post("/api/agents", json={"name": name}, headers=headers)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = ada.http.post("/api/agents", json={"name": "Other"}, headers=headers)
    problem(other, 422, "idempotency_key_reused")
    assert ada.http.get("/api/agents", params={"search": name}).json()["total"] == 1


def test_the_same_key_at_once_has_one_effect(ada: Customer) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    name = "Race " + headers["Idempotency-Key"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: ada.http.post("/api/agents", json={"name": name}, headers=headers), range(8))
        )
    made = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code != 201]
    assert len({answer.json()["id"] for answer in made}) == 1
    for answer in waiting:
        problem(answer, 409, "idempotency_in_progress")
        assert int(answer.headers["retry-after"]) >= 1
    assert ada.http.get("/api/agents", params={"search": name}).json()["total"] == 1


def test_a_key_belongs_to_one_organization(ada: Customer, bob: Customer) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    ids = {who.http.post("/api/agents", json={"name": "Same"}, headers=headers).json()["id"] for who in (ada, bob)}
    assert len(ids) == 2


def test_head_has_the_headers_of_get_and_no_body(ada: Customer) -> None:
    path = f"/api/agents/{ada.agent()['id']}"
    got, head = ada.http.get(path), ada.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert head.headers[name] == got.headers[name]


def test_large_answers_are_compressed_and_say_the_same(ada: Customer) -> None:
    path = f"/api/agents/{ada.agent(systemPrompt='word ' * 2000)['id']}"
    bodies = []
    for coding in ("identity", "gzip", "zstd"):
        answer = ada.http.get(path, headers={"Accept-Encoding": coding})
        assert answer.headers.get("content-encoding", "identity") == coding
        bodies.append(answer.json())
    assert bodies[0] == bodies[1] == bodies[2]

"""Every list of the document, walked by page and by cursor in every order while rows come and go."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.receivers import SILENT

from .conftest import Customer, problem
from .document import OPERATIONS, Operation
from .things import Things, make_things

LISTS = [operation for operation in OPERATIONS if operation.is_list]
_STEADY_ROWS = 5
# Rows of a page, and about how many pages a list is walked in that grows while rows come and go.
_LEAST_LIMIT, _MOST_LIMIT = 2, 200
_PAGES = 20
_MOST_PAGES = 400
_LOOKS = 5


@pytest.fixture(scope="module")
def things(customer: Callable[[], Customer]) -> Things:
    made = make_things(customer())
    for number in range(_STEADY_ROWS):
        come(made.customer, f"steady-{number}")
    return made


def come(customer: Customer, name: str) -> list[str]:
    """A row in many lists; the paths of those that can go again."""
    http = customer.http
    agent, entry = customer.agent(name=name)["id"], {"title": name, "content": "Words."}
    paths = [f"/api/agents/{agent}", f"/api/api-keys/{customer.key('agents:read')['id']}"]
    http.post(f"/api/agents/{agent}/publish")
    paths.append(http.post("/api/knowledge-base/entries", json=entry).headers["location"])
    sent = {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
    paths.append(http.post("/api/webhook-endpoints", json=sent).headers["location"])
    event = {"id": secrets.token_hex(8), "meter": "sms_segments", "timestamp": "2026-01-02T03:04:05Z", "value": "1"}
    event["properties"] = {"agentId": agent, "provider": "vapi"}  # type: ignore[assignment]
    assert http.post("/api/billing/usage-events", json=event).status_code == 201
    return paths


@pytest.fixture(scope="module")
def churn(things: Things) -> Iterator[None]:
    """Rows come and go until the module ends."""
    over = threading.Event()
    made = Customer(**{**vars(things.customer), "http": things.customer.bearing(things.customer.token)})

    def run() -> None:
        while not over.is_set():
            for path in come(made, "passing"):
                made.http.delete(path)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    over.set()
    thread.join()


def sorts_of(operation: Operation) -> list[str]:
    """The fields by which the document says the list can be sorted."""
    names: list[str] = operation.parameters("query")["sort"]["schema"]["enum"]
    return names


def identity(row: dict[str, Any]) -> Any:
    return row.get("id") or tuple(
        row.get(name) for name in ("service", "name", "meter", "agentId", "provider", "day", "hash")
    )


def is_ordered(values: list[Any], descending: bool) -> bool:
    """Rows without a value come last in either direction."""
    known = [value for value in values if value is not None]
    assert values[len(known) :] == [None] * (len(values) - len(known))
    return known == sorted(known, reverse=descending)


def limit_of(things: Things, operation: Operation) -> int:
    """Rows of a page with which the list has several pages, and not hundreds."""
    total = things.customer.http.get(things.path(operation), params={"limit": 1}).json()["total"] or 0
    return min(max(total // _PAGES, _LEAST_LIMIT), _MOST_LIMIT)


def walk(things: Things, operation: Operation, **params: Any) -> list[dict[str, Any]]:
    """All rows by following the Link headers."""
    http, rows = things.customer.http, []
    answer = http.get(things.path(operation), params=params)
    for _ in range(_MOST_PAGES):
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        if "next" not in answer.links:
            assert not answer.json()["hasMore"]
            return rows
        answer = http.get(answer.links["next"]["url"])
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_both_modes_agree_and_a_foreign_cursor_is_refused(things: Things, operation: Operation) -> None:
    http, path, limit = things.customer.http, things.path(operation), limit_of(things, operation)
    for _ in range(_LOOKS):  # jobs and deliveries of the things that were made may still come
        by_page = [identity(row) for row in walk(things, operation, page=1, limit=limit)]
        by_cursor = [identity(row) for row in walk(things, operation, cursor="", limit=limit)]
        if by_page == by_cursor:
            break
    assert by_page == by_cursor
    first = http.get(path, params={"cursor": "", "limit": 1}).json()
    if first["nextCursor"]:
        newest = http.get(path, params={"order": "desc", "limit": 1}).json()
        # By identity: a row may change meanwhile.
        other = "asc" if [*map(identity, newest["data"])] == [*map(identity, first["data"])] else "desc"
        foreign = http.get(path, params={"cursor": first["nextCursor"], "order": other})
        problem(foreign, 400, "invalid_cursor")
        elsewhere = "/api/agents" if path != "/api/agents" else "/api/api-keys"
        problem(http.get(elsewhere, params={"cursor": first["nextCursor"]}), 400, "invalid_cursor")


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_a_list_is_sorted_by_what_the_document_names_and_by_nothing_else(things: Things, operation: Operation) -> None:
    refused = things.customer.http.get(things.path(operation), params={"sort": "no_such_sort"})
    detail = problem(refused, 400, "invalid_query")["errors"][0]["detail"]
    assert all(name in detail for name in sorts_of(operation)), detail


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_no_row_is_lost_or_doubled_by_cursor(things: Things, churn: None, operation: Operation) -> None:
    limit = limit_of(things, operation)
    for sort in sorts_of(operation):
        for order in ("asc", "desc"):
            wanted = {"sort": sort, "order": order, "limit": limit}
            before = walk(things, operation, cursor="", **wanted)
            rows = walk(things, operation, cursor="", **wanted)
            after = walk(things, operation, cursor="", **wanted)
            met = [identity(row) for row in rows]
            assert len(set(met)) == len(met), wanted
            # A row whose sort key changed meanwhile has moved, so a walk may miss it.
            kept = {(identity(row), row.get(sort)) for row in before} & {
                (identity(row), row.get(sort)) for row in after
            }
            steady = {row for row, _ in kept}
            assert steady <= set(met), wanted
            if rows and sort in rows[0] and sort != "updatedAt":
                assert is_ordered([row[sort] for row in rows], order == "desc"), wanted

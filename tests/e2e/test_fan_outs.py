"""Writes that ask several services, under one Idempotency-Key: twice at once, and again. The answer is always whole."""

from __future__ import annotations

import inspect
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.app import ROUTES
from local.runner.suite import Suite
from local.stores import run_sql

from .conftest import Customer, problem

# A body for each route that asks several services.
FAN_OUTS: dict[str, dict[str, Any]] = {
    "POST /api/admin/dead-letters/replay": {"errorCode": "nothing_fails_so"},
    "POST /api/admin/dead-events/replay": {"errorCode": "nothing_fails_so"},
}
AT_ONCE = 6


def ask(customer: Customer, route: str, key: str, **changes: Any) -> httpx.Response:
    method, path = route.split()
    body = {**FAN_OUTS[route], **changes}
    return customer.http.request(method, path, json=body, headers={"Idempotency-Key": key})


def test_every_write_that_asks_several_services_is_among_them() -> None:
    sources = {f"{route.method} {route.path}": inspect.getsource(route.handler) for route in ROUTES if not route.reads}
    assert {name for name, source in sources.items() if "ask_all(" in source} == set(FAN_OUTS)
    assert [name for name, source in sources.items() if "gather(" in source] == []


@pytest.mark.parametrize("route", FAN_OUTS)
def test_the_same_key_at_once_gets_whole_answers_and_later_the_same(ada: Customer, route: str) -> None:
    key = secrets.token_hex(8)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: ask(ada, route, key), range(AT_ONCE)))
    for answer in answers:
        assert (answer.status_code, answer.json()) == (202, {"replayed": 0}), answer.text
    # Only one of them can have done a part, so at most as many are first as there are services.
    again = ask(ada, route, key)
    assert (again.status_code, again.json()) == (202, {"replayed": 0})
    assert again.headers["idempotency-replayed"] == "true"
    problem(ask(ada, route, key, errorCode="something_else"), 422, "idempotency_key_reused")


@pytest.mark.parametrize("route", FAN_OUTS)
def test_a_part_that_was_done_alone_is_not_done_twice_and_does_not_stand_for_the_whole(
    suite: Suite, ada: Customer, route: str
) -> None:
    """As after a gateway that died between the parts: one service has the key, the others do not."""
    key = secrets.token_hex(8)
    assert ask(ada, route, key).status_code == 202
    admin, org_id = suite.run["stores"]["postgres"]["adminUrl"], ada.organization["id"]
    row = f"where org_id = '{org_id}' and key = '{key}'"
    assert run_sql(admin, f"delete from knowledge.idempotency {row} returning 1")
    half = ask(ada, route, key)
    assert half.status_code == 202
    assert "idempotency-replayed" not in half.headers
    whole = ask(ada, route, key)
    assert (whole.json(), whole.headers["idempotency-replayed"]) == (half.json(), "true")

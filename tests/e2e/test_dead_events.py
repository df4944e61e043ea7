"""An event that a consumer of the running suite cannot handle: given up, seen by its organization and the operator,
handled again when what was wrong is repaired.

Billing's table is what goes wrong: a constraint refuses this organization's usage, and no one else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.runner.suite import Suite
from local.stores import run_sql

from .conftest import Customer, problem, until
from .test_calls import Provider
from .test_ops import ops


@pytest.fixture(scope="module")
def refusal(suite: Suite, ada: Customer) -> Iterator[Callable[[], None]]:
    """Billing refuses ada's usage until this is called, or the tests are over."""
    admin = suite.run["stores"]["postgres"]["adminUrl"]
    org_id = ada.organization["id"]
    run_sql(admin, f"alter table billing.usage_event add constraint broken check (org_id <> '{org_id}') not valid")

    def repair() -> None:
        run_sql(admin, "alter table billing.usage_event drop constraint if exists broken")

    yield repair
    repair()


@pytest.fixture(scope="module")
def dead(ada: Customer, refusal: Callable[[], None]) -> dict[str, Any]:
    """What ada sees of the call that billing could not meter."""
    assert Provider(ada).tell().json() == {"received": True, "duplicate": False}
    [event] = until(lambda: listed(ada))
    return dict(event)


def listed(customer: Customer, **wanted: Any) -> list[dict[str, Any]]:
    answer = customer.http.get("/api/admin/dead-events", params={"cursor": "", **wanted})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def replayed(customer: Customer, **sent: Any) -> int:
    answer = customer.http.post("/api/admin/dead-events/replay", json=sent)
    assert answer.status_code == 202, answer.text
    number: int = answer.json()["replayed"]
    return number


def test_the_organization_sees_what_died_and_why(ada: Customer, dead: dict[str, Any]) -> None:
    assert set(dead) == {
        "id", "service", "consumer", "eventId", "topic", "subject", "tries", "error", "replaying", "diedAt"
    }  # fmt: skip
    assert (dead["service"], dead["consumer"], dead["topic"]) == ("billing", "billing", "call.ended")
    assert (dead["tries"], dead["replaying"]) == (5, False)
    assert dead["subject"] == ada.http.get("/api/call-logs").json()["data"][0]["id"]
    # What PostgreSQL says of its tables is for operators.
    assert dead["error"]["code"] == "unexpected_error"
    assert "broken" not in dead["error"]["message"]
    by_number = ada.http.get("/api/admin/dead-events").json()
    assert (by_number["total"], by_number["data"]) == (1, [dead])


def test_filters_and_bad_queries(ada: Customer, dead: dict[str, Any]) -> None:
    for wanted in ({"consumer": "billing"}, {"topic": "call.ended"}, {"errorCode": "unexpected_error"}):
        assert listed(ada, **wanted) == [dead]
    for unwanted in ({"consumer": "realtime"}, {"topic": "call.started"}, {"errorCode": "broken"}):
        assert listed(ada, **unwanted) == []
    assert listed(ada, diedAtGe="2026-01-01T00:00:00Z") == [dead]
    assert listed(ada, diedAtLt="2026-01-01T00:00:00Z") == []
    assert listed(ada, sort="diedAt", order="asc") == [dead]
    for query in ("sort=createdAt", "diedAtGe=yesterday", "topic=", "organizationId=x", "limit=999"):
        problem(ada.http.get(f"/api/admin/dead-events?{query}"), 400, "invalid_query")
    problem(ada.http.get("/api/admin/dead-events?cursor=x"), 400, "invalid_cursor")
    problem(ada.http.post("/api/admin/dead-events/replay", json={}), 422, "validation_failed")
    problem(ada.http.post("/api/admin/dead-events/replay", json={"service": "billing"}), 422, "validation_failed")
    problem(ada.http.post("/api/admin/dead-events/replay", json={"ids": ["job_x"]}), 404, "dead_event_not_found")


def test_others_can_neither_see_nor_replay_it(ada: Customer, bob: Customer, dead: dict[str, Any]) -> None:
    assert listed(bob) == []
    unknown = dead["id"][:-6] + "000000"
    assert replayed(bob, ids=[dead["id"]]) == replayed(bob, ids=[unknown]) == 0
    assert replayed(bob, consumer="billing") == 0
    areas = ("agents", "knowledge", "calls", "billing", "realtime", "members")
    reader = ada.bearing(ada.key(*(f"{area}:{right}" for area in areas for right in ("read", "write")))["secret"])
    problem(reader.get("/api/admin/dead-events"), 403, "missing_scope")
    problem(reader.post("/api/admin/dead-events/replay", json={"ids": [dead["id"]]}), 403, "missing_scope")
    assert listed(ada) == [dead]


def test_an_operator_sees_whose_it_is_and_what_was_said(suite: Suite, ada: Customer, dead: dict[str, Any]) -> None:
    [line] = [line for line in ops(suite, "dead-events").splitlines() if dead["id"] in line]
    for word in ("billing/billing", "call.ended", ada.organization["id"], dead["eventId"], '"broken"', " 5 "):
        assert word in line
    for chosen in (("--error", "BROKEN"), ("--organization", ada.organization["id"]), ("--since", dead["diedAt"])):
        assert dead["id"] in ops(suite, "dead-events", *chosen)
    for others in (("--service", "realtime"), ("--topic", "call.started"), ("--until", "2026-01-01T00:00:00Z")):
        assert dead["id"] not in ops(suite, "dead-events", *others)
    view = ops(suite, "--once")
    assert "Dead events\n" in view
    [count] = [line.split() for line in view.splitlines() if "billing/billing" in line]
    assert count == ["billing/billing", "1", "0"]


def test_a_replay_before_it_is_repaired_fails_once_more(ada: Customer, dead: dict[str, Any]) -> None:
    assert replayed(ada, ids=[dead["id"]]) == 1
    [again] = until(lambda: listed(ada), lambda rows: [row["tries"] for row in rows] == [6])
    assert {**again, "tries": 5} == dead


def test_repaired_and_replayed_it_happens_once(
    suite: Suite, ada: Customer, dead: dict[str, Any], refusal: Callable[[], None]
) -> None:
    assert ada.http.get("/api/billing/usage-events").json()["total"] == 0
    refusal()
    assert ops(suite, "replay-events", dead["id"]) == "1 dead events will be handled again.\n"
    until(lambda: listed(ada), lambda rows: not rows)
    assert ops(suite, "replay-events", dead["id"]) == "0 dead events will be handled again.\n"
    usage = ada.http.get("/api/billing/usage-events").json()
    assert usage["total"] == 1
    call = until(lambda: ada.http.get(f"/api/call-logs/{dead['subject']}").json(), lambda call: bool(call["cost"]))
    assert call["durationSeconds"] == 42

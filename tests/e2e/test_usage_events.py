"""Usage events in every form that clients send."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from .conftest import Customer, problem

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


def cloud_event(**change: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": secrets.token_hex(8),
        "source": "/shop",
        "type": "llm_tokens",
        "time": "2026-01-02T03:04:05Z",
        "subject": "customer-7",
        "data": {"value": "12.5", "properties": {"model": "m"}},
        **change,
    }


def send(ada: Customer, body: Any, kind: str) -> httpx.Response:
    return ada.http.post("/api/billing/usage-events", json=body, headers={"Content-Type": kind})


def recorded(ada: Customer, event_id: str) -> dict[str, Any]:
    rows = ada.http.get("/api/billing/usage-events").json()["data"]
    found: dict[str, Any] = next(row for row in rows if row["id"] == event_id)
    return found


def test_a_cloud_event_is_a_usage_event(ada: Customer) -> None:
    event = cloud_event(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    answer = send(ada, event, ONE + "; charset=utf-8")
    assert (answer.status_code, answer.json()) == (201, {"accepted": 1, "duplicates": 0})
    kept = recorded(ada, event["id"])
    assert (kept["meter"], kept["value"], kept["subject"]) == ("llm_tokens", "12.5", "customer-7")
    assert kept["timestamp"] == "2026-01-02T03:04:05.000Z"
    assert kept["properties"] == {"source": "/shop", "model": "m"}
    again = send(ada, event, ONE)
    assert (again.status_code, again.json()) == (200, {"accepted": 0, "duplicates": 1})
    problem(send(ada, {**event, "source": "/other"}, ONE), 409, "usage_event_conflict")


def test_the_meter_of_a_cloud_event_may_stand_in_its_data(ada: Customer) -> None:
    event = cloud_event(type="com.example.text.sent", data={"meter": "sms_segments", "value": 2})
    assert send(ada, event, ONE).status_code == 201
    assert recorded(ada, event["id"])["meter"] == "sms_segments"


def test_a_batch_is_recorded_as_a_whole_or_not_at_all(ada: Customer) -> None:
    events = [cloud_event(), cloud_event()]
    assert send(ada, events, BATCH).json() == {"accepted": 2, "duplicates": 0}
    wrong = [cloud_event(), cloud_event(type="pages"), cloud_event(data={"value": "many"})]
    refused = problem(send(ada, wrong, BATCH), 422, "validation_failed")
    assert {item["pointer"] for item in refused["errors"]} == {"#/1/type", "#/2/data/value"}
    assert wrong[0]["id"] not in {row["id"] for row in ada.http.get("/api/billing/usage-events").json()["data"]}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "#/specversion"),
        ({"time": "0001-01-01T00:00:00Z"}, "#/time"),
        ({"type": "pages"}, "#/type"),
        ({"data": {}}, "#/data/value"),
        ({"data": {"value": "1", "more": 1}}, "#/data/more"),
        ({"data": {"value": "1", "meter": "pages"}}, "#/data/meter"),
        ({"source": ""}, "#/source"),
    ],
)
def test_a_wrong_cloud_event_is_told_where(ada: Customer, change: dict[str, Any], pointer: str) -> None:
    refused = problem(send(ada, cloud_event(**change), ONE), 422, "validation_failed")
    assert [item["pointer"] for item in refused["errors"]] == [pointer]


def test_each_form_has_its_media_type(ada: Customer) -> None:
    problem(send(ada, [cloud_event()], ONE), 422, "validation_failed")
    problem(send(ada, cloud_event(), BATCH), 422, "validation_failed")
    problem(send(ada, cloud_event(), "application/json"), 422, "validation_failed")
    problem(send(ada, cloud_event(), "application/xml"), 415, "unsupported_media_type")


def test_calls_are_metered_by_the_suite_alone(ada: Customer) -> None:
    plain = {"id": "c1", "meter": "call_seconds", "timestamp": "2026-01-02T03:04:05Z", "value": "60"}
    for body, kind, pointer in (
        (plain, "application/json", "#/meter"),
        ({"events": [plain]}, "application/json", "#/events/0/meter"),
        (cloud_event(type="call_seconds"), ONE, "#/type"),
    ):
        refused = problem(send(ada, body, kind), 422, "meter_reserved")
        assert [item["pointer"] for item in refused["errors"]] == [pointer]
    assert ada.http.get("/api/billing/usage-events?meter=call_seconds").json()["total"] == 0


def test_every_meter_that_is_listed_and_open_takes_an_event(ada: Customer) -> None:
    meters = ada.http.get("/api/billing/meters").json()["data"]
    assert [meter["name"] for meter in meters if meter["reserved"]] == ["call_seconds"]
    for meter in meters:
        assert meter["unit"]
        assert meter["description"]
        if not meter["reserved"]:
            assert send(ada, cloud_event(type=meter["name"]), ONE).status_code == 201

"""Situations of the field in metering and jobs: times, values and repetitions of usage events, runs of jobs."""

from __future__ import annotations

import datetime
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS

from .conftest import Customer, problem

PATH = "/api/billing/usage-events"


def event(**changes: Any) -> dict[str, Any]:
    known = {"id": secrets.token_hex(8), "meter": "llm_tokens", "timestamp": "2026-01-02T03:04:05Z", "value": "1"}
    return {**known, **changes}


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "0000-00-00T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("in_a_list", [False, True])
def test_the_zero_time_of_a_language_is_no_internal_error(ada: Customer, written: str, in_a_list: bool) -> None:
    sent = event(timestamp=written)
    answer = ada.http.post(PATH, json={"events": [sent]} if in_a_list else sent)
    if answer.status_code != 201:
        refused = problem(answer, 422, "validation_failed")
        assert refused["errors"][0]["pointer"] == ("#/events/0/timestamp" if in_a_list else "#/timestamp")


def test_one_event_told_in_two_ways_is_one_and_another_value_is_a_conflict(ada: Customer) -> None:
    first = event(value="1.50", timestamp="2026-01-02T03:04:05Z")
    assert ada.http.post(PATH, json=first).json() == {"accepted": 1, "duplicates": 0}
    for again in (
        {**first, "value": 1.5},
        {**first, "value": "1.500000"},
        {**first, "timestamp": "2026-01-02T05:04:05+02:00"},
        {**first, "timestamp": "2026-01-02T03:04:05.000Z"},
    ):
        answer = ada.http.post(PATH, json=again)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "duplicates": 1})
    assert ada.http.post(PATH, json={**first, "value": "1.51"}).status_code == 409


@pytest.mark.parametrize(
    "value", ["-1", -1, "1e3", "1,5", "1.1234567", 1.1234567, "", "NaN", "Infinity", "\u0661", " 1", "0x10", "1_000"]
)
def test_a_value_that_is_no_plain_decimal_is_refused(ada: Customer, value: Any) -> None:
    refused = problem(ada.http.post(PATH, json=event(value=value)), 422, "validation_failed")
    assert refused["errors"][0]["pointer"] == "#/value"


def test_an_exponent_of_a_json_number_is_its_value(ada: Customer) -> None:
    sent = event(meter="llm_tokens")
    body = json.dumps(sent).replace('"value": "1"', '"value": 1e3')
    answer = ada.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    rows = ada.http.get(PATH, params={"limit": 200}).json()["data"]
    assert [row["value"] for row in rows if row["id"] == sent["id"]] == ["1000"]


def test_late_events_are_taken_and_early_ones_are_not(ada: Customer) -> None:
    now = datetime.datetime.now(datetime.UTC)
    problem(ada.http.post(PATH, json=event(timestamp=_at(now + datetime.timedelta(days=1)))), 422, "validation_failed")
    late = event(timestamp=_at(now - datetime.timedelta(days=365)))
    assert ada.http.post(PATH, json=late).status_code == 201
    assert ada.http.post(PATH, json={"events": [event(), twice := event(), twice]}).json() == {
        "accepted": 2,
        "duplicates": 1,
    }
    good, bad = event(), event(value="-1")
    assert ada.http.post(PATH, json={"events": [good, bad]}).status_code == 422
    assert ada.http.post(PATH, json=good).json() == {"accepted": 1, "duplicates": 0}


def _at(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_hour_that_comes_twice_is_two_hours_and_a_day_is_utcs(customer: Callable[[], Customer]) -> None:
    ada = customer()
    for written in ("2025-11-02T01:30:00-04:00", "2025-11-02T01:30:00-05:00", "2025-11-01T23:30:00-01:00"):
        assert ada.http.post(PATH, json=event(timestamp=written)).status_code == 201
    times = {row["timestamp"] for row in ada.http.get(PATH).json()["data"]}
    assert times == {"2025-11-02T05:30:00.000Z", "2025-11-02T06:30:00.000Z", "2025-11-02T00:30:00.000Z"}
    rows = ada.http.get("/api/billing/usage", params={"groupBy": "day"}).json()["data"]
    assert [(row["day"], row["quantity"]) for row in rows] == [("2025-11-02", "3")]


def upload(customer: Customer, name: str, content: bytes, **headers: str) -> httpx.Response:
    return customer.http.post("/api/documents/upload", files={"document": (name, content)}, headers=headers)


def settled(customer: Customer, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        job: dict[str, Any] = customer.http.get(f"/api/jobs/{job_id}").json()
        if job["state"] in ("completed", "failed", "cancelled"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def test_a_job_that_is_done_is_not_run_again_and_a_failed_one_fails_for_the_same_reason(ada: Customer) -> None:
    done = upload(ada, "note.txt", b"The ferry leaves at noon.").json()["jobId"]
    assert settled(ada, done)["state"] == "completed"
    assert ada.http.post(f"/api/jobs/{done}/retry").status_code == 409
    assert settled(ada, done)["state"] == "completed"

    broken = upload(ada, "broken.pdf", b"%PDF-1.7 and nothing").json()
    first = settled(ada, broken["jobId"])
    assert ada.http.post(f"/api/jobs/{broken['jobId']}/retry").status_code == 202
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (again := settled(ada, broken["jobId"]))["finishedAt"] == first["finishedAt"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (again["state"], again["error"]["code"]) == ("failed", first["error"]["code"])
    assert ada.http.get(f"/api/documents/{broken['documentId']}/status").json()["status"] == "failed"


def test_one_upload_under_one_key_is_one_document(ada: Customer) -> None:
    key = secrets.token_hex(8)
    answers = [upload(ada, "once.txt", b"Once only, by the mill.", **{"Idempotency-Key": key}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["documentId"] for answer in answers}) == 1
    rows = ada.http.get("/api/knowledge-base/entries", params={"limit": 200}).json()["data"]
    assert len([row for row in rows if row["title"] == "once"]) == 1


def test_every_schedule_says_its_zone_and_fires_next_within_it(ada: Customer) -> None:
    rows = ada.http.get("/api/admin/schedules", params={"limit": 200}).json()["data"]
    assert rows
    for row in rows:
        assert row["timeZone"] == "UTC", row
        assert datetime.datetime.fromisoformat(row["nextFireAt"]) > datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

"""Situations of the field in providers' deliveries, through the public door to the call that the customer reads."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS

from .conftest import Customer, problem
from .deliveries import SECRET, Account, audio, conversation, digest, fresh_id

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@pytest.fixture(scope="module")
def elevenlabs(ada: Customer) -> Account:
    return Account(ada, "elevenlabs")


@pytest.fixture(scope="module")
def retell(ada: Customer) -> Account:
    return Account(ada, "retell")


@pytest.fixture(scope="module")
def vapi(ada: Customer) -> Account:
    return Account(ada, "vapi")


def test_a_call_with_a_null_transcript_is_kept(elevenlabs: Account) -> None:
    call = elevenlabs.told(conversation(number := fresh_id(), transcript=None), number)
    assert (call["status"], call["durationSeconds"], call["transcript"]) == ("completed", 31, [])


def test_fractions_of_seconds_and_credits_are_kept_or_left_out(elevenlabs: Account) -> None:
    metadata = {"start_time_unix_secs": 1767344600.25, "call_duration_secs": 31.4, "cost": 12.75}
    call = elevenlabs.told(conversation(number := fresh_id(), metadata=metadata), number)
    assert (call["status"], call["durationSeconds"]) == ("completed", 31.4)


def test_odd_characters_in_a_signed_body_are_replaced(elevenlabs: Account) -> None:
    document = conversation(number := fresh_id(), transcript=[{"role": "user", "message": "N\x00L \ud83d end"}])
    call = elevenlabs.told(json.dumps(document).encode(), number)
    assert call["transcript"][0]["text"].startswith("N\ufffdL ")
    assert call["transcript"][0]["text"].endswith(" end")


@pytest.mark.parametrize("form", ["t={stamp}, v0={good}", "t={stamp},v0={old},v0={good}", "v0={good},t={stamp}"])
def test_a_signature_header_may_have_a_space_and_an_older_secret_first(elevenlabs: Account, form: str) -> None:
    body, stamp = json.dumps(conversation(fresh_id())).encode(), str(int(time.time()))
    signed = (stamp.encode(), b".", body)
    header = form.format(stamp=stamp, good=digest(SECRET, *signed), old=digest("older", *signed))
    assert elevenlabs.deliver(body, headers={"ElevenLabs-Signature": header}).status_code == 200


@pytest.mark.parametrize("mebibytes", [0.3, 7.7, 45])
def test_the_recording_of_a_long_call_is_taken(elevenlabs: Account, mebibytes: float) -> None:
    content = b"ID3" + random.Random(1).randbytes(int(mebibytes * 1024 * 1024))
    elevenlabs.told(conversation(number := fresh_id()), number)
    answer = elevenlabs.deliver(audio(number, content), chunked=True)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (elevenlabs.call(number)["recording"] or {}).get("status") != "available":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert elevenlabs.customer.http.get(elevenlabs.call(number)["recording"]["url"]).content == content


def test_a_delivery_beyond_the_limit_is_refused(elevenlabs: Account) -> None:
    answer = elevenlabs.deliver(b" " * (64 * 1024 * 1024 + 1), chunked=True)
    assert "64 MiB" in problem(answer, 413, "payload_too_large")["detail"]


@pytest.mark.parametrize(
    ("reason", "body", "status"),
    [
        ("busy", {}, "busy"),
        ("no-answer", {}, "no_answer"),
        ("unknown", {"sip_status_code": 486, "error_reason": "486 Busy Here"}, "busy"),
        ("unknown", {"sip_status_code": 480, "error_reason": "480 Temporarily Unavailable"}, "no_answer"),
        ("unknown", {"sip_status_code": 503, "error_reason": "503 Service Unavailable"}, "failed"),
        (None, None, "failed"),
    ],
)
def test_a_failed_start_has_its_status_and_is_not_metered(
    customer: Callable[[], Customer], reason: str | None, body: dict[str, Any] | None, status: str
) -> None:
    account = Account(customer(), "elevenlabs")
    metadata = None if body is None else {"type": "sip", "body": body}
    data = {"agent_id": "a", "conversation_id": (number := fresh_id()), "failure_reason": reason, "metadata": metadata}
    document = {"type": "call_initiation_failure", "event_timestamp": int(time.time()), "data": data}
    call = account.told(document, number)
    assert (call["status"], call["durationSeconds"], call["cost"]) == (status, None, None)
    if body:
        assert call["terminationReason"] == body["error_reason"]
    assert account.customer.http.get("/api/billing/usage").json()["data"] == []


def test_voicemail_is_told_by_its_reason_and_numbers_by_direction(elevenlabs: Account) -> None:
    phone = {"direction": "outbound", "agent_number": "+4930555010", "external_number": "+4930555020"}
    metadata = {
        "start_time_unix_secs": int(time.time()) - 60, "call_duration_secs": 12, "phone_call": phone,
        "batch_call": {"batch_call_id": "b", "batch_call_recipient_id": "r"},
        "termination_reason": "voicemail_detection tool was called",
    }  # fmt: skip
    call = elevenlabs.told(conversation(number := fresh_id(), metadata=metadata), number)
    assert (call["status"], call["direction"]) == ("voicemail", "outbound")
    assert (call["fromNumber"], call["toNumber"]) == ("+4930555010", "+4930555020")


def test_what_several_voices_said_is_found(elevenlabs: Account) -> None:
    parts = [
        {"text": "In the old mill", "voice_label": "Narrator"},
        {"text": "lived a jackdaw.", "voice_label": "Child"},
    ]
    transcript = [{"role": "agent", "message": None, "multivoice_message": {"parts": parts}, "time_in_call_secs": 1}]
    call = elevenlabs.told(conversation(number := fresh_id(), transcript=transcript), number)
    assert call["transcript"][0]["text"] == "In the old mill lived a jackdaw."
    rows = elevenlabs.customer.http.get("/api/call-logs", params={"search": "jackdaw"}).json()["data"]
    assert [row["externalCallId"] for row in rows] == [number]


def retell_call(number: str, **changes: Any) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((SAMPLES / "retell" / "call_analyzed.json").read_text("utf-8"))["call"]
    return {**sample, "call_id": number, **changes}


def test_an_analysis_that_comes_before_the_end_stays(retell: Account) -> None:
    number = fresh_id("call")
    bare = dict.fromkeys(("transcript", "transcript_object", "transcript_with_tool_calls"))
    retell.told({"event": "call_analyzed", "call": retell_call(number, **bare)}, number)
    ended = {"event": "call_ended", "call": retell_call(number, call_analysis=None)}
    assert retell.deliver(ended).status_code == 200
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len((call := retell.call(number))["transcript"]) != 4:
        assert time.monotonic() < deadline, call
        time.sleep(0.1)
    assert call["summary"] == "The caller asked for tonight's opening hours."
    assert (call["successful"], call["status"]) == (True, "completed")


def test_a_call_with_only_the_text_keeps_its_words_and_they_are_found(retell: Account) -> None:
    number = fresh_id("call")
    bare = {"transcript_object": None, "transcript_with_tool_calls": None}
    text = "Agent: Harbour office.\nUser: Do you sell periwinkles?\n"
    call = retell.told({"event": "call_ended", "call": retell_call(number, **bare, transcript=text)}, number)
    assert [(turn["role"], turn["text"]) for turn in call["transcript"]] == [
        ("agent", "Harbour office."),
        ("user", "Do you sell periwinkles?"),
    ]
    rows = retell.customer.http.get("/api/call-logs", params={"search": "periwinkles"}).json()["data"]
    assert [row["externalCallId"] for row in rows] == [number]


def vapi_report(number: str, **changes: Any) -> dict[str, Any]:
    message = json.loads((SAMPLES / "vapi" / "end_of_call_report.json").read_text("utf-8"))["message"]
    merged = {**message, "call": {**message["call"], "id": number}, **changes}
    return {"message": {name: value for name, value in merged.items() if value is not None}}


def test_a_report_is_a_call_with_its_length_and_turns(vapi: Account) -> None:
    turns = [
        {"role": "bot", "message": "Hello.", "secondsFromStart": 0.5},
        {"role": "user", "message": "Hi.", "secondsFromStart": 2},
    ]
    times = {"startedAt": "2026-01-02T09:00:00.000Z", "endedAt": "2026-01-02T09:01:07.500Z"}
    call = vapi.told(vapi_report(number := fresh_id("call"), artifact={"messages": turns}, **times), number)
    assert (call["durationSeconds"], len(call["transcript"])) == (67.5, 2)


def test_a_report_with_its_length_and_without_its_times_is_metered(customer: Callable[[], Customer]) -> None:
    account = Account(customer(), "vapi")
    report = vapi_report(number := fresh_id("call"), startedAt=None, endedAt=None, durationSeconds=67.5)
    call = account.told(report, number)
    assert (call["status"], call["durationSeconds"]) == ("completed", 67.5)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (rows := account.customer.http.get("/api/billing/usage").json()["data"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(row["meter"], row["quantity"]) for row in rows] == [("call_seconds", "67.5")]


def test_wildcards_of_sql_and_quotes_are_letters_in_a_search_of_calls(retell: Account) -> None:
    bare = {"transcript_object": None, "transcript_with_tool_calls": None, "call_analysis": None}
    texts = {
        fresh_id("call"): "User: Is it 50% off for foo_bar?",
        fresh_id("call"): "User: What of returns/exchanges by post?",
    }
    for number, text in texts.items():
        retell.told({"event": "call_ended", "call": retell_call(number, **bare, transcript=text)}, number)
    first, second = texts

    def found(words: str) -> set[str]:
        rows = retell.customer.http.get("/api/call-logs", params={"search": words}).json()["data"]
        return {row["externalCallId"] for row in rows}

    for wildcard in ("%", "_", "'", '"', "%%", "_%", "\\", "'; --"):
        assert found(wildcard) == set(), wildcard
    for words in ("50%", "foo_bar"):
        assert found(words) == {first}
    for words in ("returns", "exchanges", "returns/exchanges"):
        assert found(words) == {second}, words

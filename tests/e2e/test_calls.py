"""Calls on the running suite, from a signed delivery to a recording read by byte range."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS

from .conftest import Customer, problem

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SECRET = "wsec_0123456789abcdef"
AUDIO = bytes(range(256)) * 40


class Provider:
    """ElevenLabs, as far as it delivers: one conversation, signed with the customer's secret."""

    def __init__(self, customer: Customer) -> None:
        credentials = {"apiKey": "sk_0123456789abcdef", "webhookSecret": SECRET}
        answer = customer.http.put("/api/integrations/elevenlabs", json={"credentials": credentials})
        assert answer.status_code == 200, answer.text
        assert SECRET not in answer.text
        assert answer.json().items() >= {"provider": "elevenlabs", "status": "connected", "apiKeyLast4": "cdef"}.items()
        self.customer = customer
        self.path = urlsplit(answer.json()["webhookUrl"]).path
        self.conversation = "conv_" + hashlib.sha256(self.path.encode()).hexdigest()[:20]

    def deliver(self, kind: str, data: dict[str, Any], *, secret: str = SECRET, age: int = 0) -> httpx.Response:
        envelope = {"type": kind, "event_timestamp": int(time.time()), "data": {"agent_id": "agent_x", **data}}
        body = json.dumps(envelope).encode()
        stamp = str(int(time.time()) - age)
        digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"ElevenLabs-Signature": f"t={stamp},v0={digest}"}
        return self.customer.bearing(None).post(self.path, content=body, headers=headers)

    def tell(self) -> httpx.Response:
        turns = [
            {"role": "agent", "message": "Good morning, bakery.", "time_in_call_secs": 0},
            {"role": "user", "message": "Do you have marmalade?", "time_in_call_secs": 3},
        ]
        metadata = {"start_time_unix_secs": int(time.time()) - 60, "call_duration_secs": 42, "cost": 90}
        analysis = {"call_successful": "success", "transcript_summary": "Asked for marmalade."}
        return self.deliver(
            "post_call_transcription",
            {
                "conversation_id": self.conversation,
                "status": "done",
                "transcript": turns,
                "metadata": metadata,
                "analysis": analysis,
            },
        )


@pytest.fixture(scope="module")
def provider(ada: Customer) -> Provider:
    return Provider(ada)


@pytest.fixture(scope="module")
def call(ada: Customer, provider: Provider) -> dict[str, Any]:
    """The call log of one delivery, with its recording."""
    assert provider.tell().json() == {"received": True, "duplicate": False}
    audio = {"conversation_id": provider.conversation, "full_audio": base64.b64encode(AUDIO).decode()}
    assert provider.deliver("post_call_audio", audio).status_code == 200
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = ada.http.get("/api/call-logs", params={"externalCallId": provider.conversation}).json()["data"]
        found: dict[str, Any] = ada.http.get(f"/api/call-logs/{rows[0]['id']}").json() if rows else {}
        if found.get("cost") and (found["recording"] or {}).get("status") == "available":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_delivery_becomes_a_call_with_its_words(ada: Customer, call: dict[str, Any]) -> None:
    assert (call["status"], call["durationSeconds"], call["successful"]) == ("completed", 42, True)
    assert [(turn["index"], turn["role"], turn["timeSeconds"]) for turn in call["transcript"]] == [
        (0, "agent", 0),
        (1, "user", 3),
    ]
    assert call["cost"]["currency"] == "USD"
    row = ada.http.get("/api/call-logs", params={"search": "marmalade"}).json()["data"][0]
    assert row["id"] == call["id"]
    assert "transcript" not in row
    assert ada.http.get("/api/call-logs", params={"search": "zeppelin"}).json()["data"] == []


def test_deliveries_are_refused_as_the_wire_says(customer_without_secret: Provider, provider: Provider) -> None:
    stranger = provider.customer.bearing(None)
    problem(stranger.post(provider.path, content=b"{}"), 401, "webhook_signature_invalid")
    problem(provider.deliver("x", {}, secret="wrong"), 401, "webhook_signature_invalid")
    problem(provider.deliver("x", {}, age=31 * 60), 401, "webhook_signature_invalid")
    problem(stranger.post("/api/webhooks/elevenlabs/no one/post-call", content=b"{}"), 404, "webhook_unknown")
    unset = problem(customer_without_secret.deliver("x", {}), 503, "webhook_secret_unset")
    assert "secret" in unset["detail"]


@pytest.fixture
def customer_without_secret(bob: Customer) -> Provider:
    """Its integration has a key and no webhook secret."""
    made = Provider.__new__(Provider)
    answer = bob.http.put("/api/integrations/elevenlabs", json={"credentials": {"apiKey": "sk_0123456789abcdef"}})
    made.customer, made.path = bob, urlsplit(answer.json()["webhookUrl"]).path
    return made


def test_a_signed_body_that_is_no_envelope_is_a_400(provider: Provider) -> None:
    body, stamp = b"{not json", str(int(time.time()))
    digest = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"ElevenLabs-Signature": f"t={stamp},v0={digest}"}
    answer = provider.customer.bearing(None).post(provider.path, content=body, headers=headers)
    problem(answer, 400, "webhook_payload_invalid")


def test_what_is_not_understood_is_kept(provider: Provider) -> None:
    assert provider.deliver("something_new", {"conversation_id": "conv_other"}).json() == {
        "received": True,
        "duplicate": False,
    }
    assert provider.tell().json() == {"received": True, "duplicate": True}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, 10_240),
        ("bytes=-40", 10_200, 10_240),
        ("bytes=10239-99999", 10_239, 10_240),
    ],
)
def test_a_recording_is_read_by_byte_range(
    ada: Customer, call: dict[str, Any], asked: str, start: int, end: int
) -> None:
    answer = ada.http.get(call["recording"]["url"], headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == AUDIO[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(AUDIO)}"


def test_a_whole_recording_and_what_is_outside_it(ada: Customer, call: dict[str, Any]) -> None:
    whole = ada.http.get(call["recording"]["url"])
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, AUDIO, "bytes")
    assert whole.headers["content-type"].startswith("audio/")
    outside = ada.http.get(call["recording"]["url"], headers={"Range": "bytes=10240-"})
    problem(outside, 416, "range_not_satisfiable")
    assert outside.headers["content-range"] == "bytes */10240"
    assert ada.http.get(call["recording"]["url"], headers={"Range": "lines=1-2"}).status_code == 200


def test_a_recording_opens_by_its_link_alone(ada: Customer, call: dict[str, Any]) -> None:
    stranger, url = ada.bearing(None), call["recording"]["url"]
    assert url.startswith(ada.url)
    assert stranger.get(url).content == AUDIO
    part = stranger.get(url, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, AUDIO[5:10])
    assert stranger.head(url).headers["content-length"] == str(len(AUDIO))
    problem(stranger.get(url.partition("?")[0]), 403, "invalid_link")
    problem(stranger.get(url[:-1] + ("0" if url[-1] != "0" else "1")), 403, "invalid_link")
    problem(stranger.get(url.replace("expires=1", "expires=2")), 403, "invalid_link")
    problem(stranger.get(f"/api/call-logs/{call['id']}/recording"), 401, "unauthenticated")


def test_a_version_that_is_not_reached_is_refused(ada: Customer, call: dict[str, Any]) -> None:
    path = f"/api/call-logs/{call['id']}"
    version = ada.http.get(path).json()["version"]
    assert ada.http.get(path, headers={"X-Min-Version": str(version)}).status_code == 200
    ahead = ada.http.get(path, headers={"X-Min-Version": str(version + 1)})
    problem(ahead, 409, "version_not_reached")
    assert int(ahead.headers["retry-after"]) >= 1


def test_tags_change_and_nothing_else_does(ada: Customer, call: dict[str, Any]) -> None:
    path = f"/api/call-logs/{call['id']}"
    assert ada.http.patch(path, json={"tags": ["follow-up"]}).json()["tags"] == ["follow-up"]
    assert [row["id"] for row in ada.http.get("/api/call-logs?tags=follow-up").json()["data"]] == [call["id"]]
    for field in ("status", "durationSeconds", "cost", "transcript", "agentId"):
        problem(ada.http.patch(path, json={field: None}), 422, "validation_failed")


def test_another_organization_sees_none_of_it(bob: Customer, call: dict[str, Any]) -> None:
    for method, path, body in (
        ("GET", f"/api/call-logs/{call['id']}", None),
        ("PATCH", f"/api/call-logs/{call['id']}", {"tags": []}),
        ("GET", f"/api/call-logs/{call['id']}/recording", None),
    ):
        problem(bob.http.request(method, path, json=body), 404, "call_not_found")
    assert bob.http.get("/api/call-logs").json()["total"] == 0


def test_a_transcription_is_its_organizations_own(ada: Customer, bob: Customer, call: dict[str, Any]) -> None:
    """The provider gave the words of this call, so no one has listened to its recording."""
    path = f"/api/call-logs/{call['id']}/transcription"
    assert (call["recording"]["transcriptionStatus"], call["recording"]["transcriptionUrl"]) == (None, None)
    assert ada.http.get(path).json() == {
        "status": None,
        "text": None,
        "model": None,
        "language": None,
        "durationSeconds": None,
        "segments": [],
    }
    problem(bob.http.get(path), 404, "call_not_found")


def test_a_message_of_vapi_becomes_a_call_however_its_credential_proves_it(bob: Customer) -> None:
    credentials = {"apiKey": "sk_0123456789abcdef", "webhookSecret": SECRET}
    made = bob.http.put("/api/integrations/vapi", json={"credentials": credentials}).json()
    path, stamp = urlsplit(made["webhookUrl"]).path, str(int(time.time()))
    body = (SAMPLES / "vapi" / "end_of_call_report.json").read_bytes()

    def digest(*parts: bytes) -> str:
        return hmac.new(SECRET.encode(), b"".join(parts), hashlib.sha256).hexdigest()

    def deliver(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return bob.bearing(None).post(path, content=body, headers=named)

    for wrong in ({}, {"authorization": "Bearer guessed"}, {"x_vapi_signature": digest(b"another body")}):
        problem(deliver(**wrong), 401, "webhook_signature_invalid")
    ways: list[dict[str, str]] = [
        {"x_vapi_signature": digest(body)},
        {"x_signature": digest(stamp.encode(), b".", body), "x_timestamp": stamp},
        {"x_vapi_secret": SECRET},
        {"authorization": f"Bearer {SECRET}"},
    ]
    answers = [deliver(**way).json() for way in ways]
    assert answers == [{"received": True, "duplicate": number > 0} for number in range(4)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (rows := bob.http.get("/api/call-logs", params={"search": "beekeeping"}).json()["data"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(row["provider"], row["status"], row["durationSeconds"]) for row in rows] == [("vapi", "completed", 31.25)]

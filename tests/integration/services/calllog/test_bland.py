"""Bland's calls: delivered by its post-call webhook, or fetched from a local server with the API of docs.bland.ai."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from echosenseix.calllog.v1 import calllog_pb2
from libs.errors import InvalidArgument, NotFound, Unauthenticated, Unavailable
from libs.http import OutboundClient
from providers.bland import PROVIDER
from providers.bland import calls as source
from providers.interface.credentials import Credentials

from .conftest import ALLOWED, SECRET, CallLog, Organization
from .provider import SAMPLES, Provider, serving
from .test_provider_jobs import download
from .test_retell import reconcile

SAMPLE = json.loads((SAMPLES / "bland" / "call.json").read_text("utf-8"))
PATHWAY = SAMPLE["pathway_id"]
AUDIO = b"RIFF" + bytes(range(256)) * 500
LISTED = ("call_id", "created_at", "call_length", "to", "from", "completed", "queue_status", "error_message")


class BlandProvider(Provider):
    """`conversations` maps ids to calls; recordings are under /storage, which must get no key."""

    key_header = "authorization"

    def add(self, call_id: str, created_at: datetime | None = None, **data: Any) -> None:
        created_at = created_at or datetime.now(UTC) - timedelta(minutes=10)
        started_at = (created_at + timedelta(seconds=6)).isoformat()
        self.conversations[call_id] = {
            **copy.deepcopy(SAMPLE),
            "call_id": call_id,
            "c_id": call_id,
            "created_at": created_at.isoformat(),
            "started_at": started_at,
            "recording_url": None,
            **data,
        }

    def keep_audio(self, call_id: str, audio: bytes) -> None:
        self.audio[call_id] = audio
        self.conversations[call_id]["recording_url"] = f"{self.url}/storage/{call_id}.wav"

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        call_id = parts.path.rpartition("/")[2]
        if parts.path.startswith("/storage/"):
            return 200, "binary/octet-stream", self.audio[call_id.removesuffix(".wav")]
        if (method, parts.path) == ("GET", "/v1/calls"):
            return 200, "application/json", json.dumps(self._listed(parse_qs(parts.query))).encode()
        if method == "GET" and parts.path == f"/v1/calls/{call_id}" and call_id in self.conversations:
            return 200, "application/json", json.dumps(self.conversations[call_id]).encode()
        return 404, "application/json", b'{"status":"error","message":"Call not found"}'

    def _listed(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """By creation; whole days are the filter, and a listed call has no transcript."""
        rows = [call for call in self.conversations.values() if call["created_at"][:10] >= query["start_date"][0]]
        rows.sort(key=lambda call: str(call["created_at"]), reverse=query.get("ascending") != ["true"])
        start, limit = int(query.get("from", ["0"])[0]), int(query.get("limit", ["1000"])[0])
        page = [{name: call[name] for name in LISTED} for call in rows[start : start + limit]]
        return {"count": len(page), "total_count": len(rows), "calls": page}


@pytest_asyncio.fixture(loop_scope="session")
async def bland() -> AsyncIterator[BlandProvider]:
    async with serving(BlandProvider()) as running:
        yield running


def call_of(conversation: str, **more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SAMPLE), "call_id": conversation, "recording_url": None, **more}


async def deliver(calllog: CallLog, org: Organization, call: dict[str, Any], secret: str = SECRET) -> bool:
    body = json.dumps(call).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return await calllog.deliver(org, body, digest, "bland", "x-webhook-signature")


async def topics(calllog: CallLog, org: Organization) -> list[str]:
    await calllog.settled(org.id)
    return [topic for topic, _ in await calllog.events(org.id)]


async def test_a_post_call_webhook_becomes_a_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(PATHWAY, provider="bland")
    assert await deliver(calllog, org, call_of(conversation)) is False
    call = await calllog.call_of(org.id, conversation)
    assert (call.provider, call.agent_version, call.external_agent_id) == ("bland", 1, PATHWAY)
    assert (call.status, call.direction) == (
        calllog_pb2.CALL_STATUS_COMPLETED, calllog_pb2.CALL_DIRECTION_INBOUND,
    )  # fmt: skip
    assert (call.from_number, call.to_number, call.duration_seconds) == ("+4930555020", "+4930555010", 43.0)
    assert [turn.text for turn in call.transcript] == [
        "The greenhouse, good morning.", "Are you open on Sunday?", "Yes, from ten to six.",
    ]  # fmt: skip
    ((topic, data),) = await calllog.events(org.id)
    assert (topic, data["billable"], data["durationSeconds"]) == ("call.ended", True, 43.0)
    assert [found.id for found in (await calllog.list(org.id, search="greenhouse")).calls] == [call.id]


async def test_ten_deliveries_at_once_make_one_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(PATHWAY, provider="bland")
    duplicates = await asyncio.gather(*(deliver(calllog, org, call_of(conversation)) for _ in range(10)))
    assert sorted(duplicates) == [False, *[True] * 9]
    await calllog.call_of(org.id, conversation)
    assert await topics(calllog, org) == ["call.ended"]
    assert (await calllog.list(org.id)).page_info.total == 1


@pytest.mark.parametrize("fullest_first", [True, False])
async def test_the_fuller_of_two_reports_stays(calllog: CallLog, conversation: str, fullest_first: bool) -> None:
    org = await calllog.organization(PATHWAY, provider="bland")
    reports = [call_of(conversation), call_of(conversation, summary=None, transcripts=[])]
    for report in reports if fullest_first else reversed(reports):
        await deliver(calllog, org, report)
        await calllog.settled(org.id)
    call = await calllog.call_of(org.id, conversation)
    assert ("greenhouse" in call.summary, len(call.transcript), call.duration_seconds) == (True, 3, 43.0)
    assert (await topics(calllog, org)).count("call.ended") == 1


async def test_another_organization_never_sees_the_call(calllog: CallLog, conversation: str) -> None:
    ours = await calllog.organization(PATHWAY, provider="bland")
    theirs = await calllog.organization(PATHWAY, provider="bland")
    await deliver(calllog, ours, call_of(conversation))
    call = await calllog.call_of(ours.id, conversation)
    assert (await calllog.list(theirs.id)).page_info.total == 0
    with pytest.raises(NotFound, match="call_not_found"):
        await calllog.get(theirs.id, call.id)


async def test_wrong_signatures_and_bodies_are_refused_and_events_are_kept(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(PATHWAY, provider="bland")
    with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
        await deliver(calllog, org, call_of(conversation), secret="guessed")
    with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
        await calllog.deliver(org, call_of(conversation), SECRET, "bland", "x-webhook-signature")
    other = await calllog.organization(provider="retell")
    with pytest.raises(NotFound, match="webhook_unknown"):
        await deliver(calllog, other, call_of(conversation))
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        await deliver(calllog, org, {"completed": True})
    assert await deliver(calllog, org, {"category": "tool", "call_id": conversation, "message": "asked"}) is False
    assert await calllog.jobs(org.id) == []


async def test_calls_that_no_webhook_reported_are_found_with_their_recordings(
    calllog: CallLog, bland: BlandProvider, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_SIZE", 2)
    org = await calllog.organization(PATHWAY, bland.url, "bland")
    missed = [f"{conversation}-{number}" for number in range(5)]
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for number, call_id in enumerate(missed):
        bland.add(call_id, hour_ago + timedelta(minutes=number))
    bland.add(f"{conversation}-running", hour_ago, completed=False, status=None)
    bland.add(f"{conversation}-old", hour_ago - timedelta(days=7, hours=1))
    bland.keep_audio(missed[2], AUDIO)
    assert await reconcile(calllog, org.id, "bland") == {"listed": 5, "missing": 5, "unreadable": 0}
    calls = (await calllog.list(org.id)).calls
    assert sorted(call.external_call_id for call in calls) == missed
    assert {(call.provider, call.agent_version, call.status) for call in calls} == {
        ("bland", 1, calllog_pb2.CALL_STATUS_COMPLETED)
    }
    call = await calllog.call_of(org.id, missed[2])
    await calllog.settled(org.id, "audio.process")
    recording, content = await download(calllog, org.id, call.id)
    assert (recording.status, recording.media_type, content) == ("available", "audio/wav", AUDIO)
    assert await reconcile(calllog, org.id, "bland") == {"listed": 5, "missing": 0, "unreadable": 0}
    # A webhook that arrives late finds the call.
    assert await deliver(calllog, org, bland.conversations[missed[0]]) is True
    assert set(await topics(calllog, org)) == {"call.ended", "call.recording_ready"}
    keys = {(target.split("/")[1], key) for target, key in zip(bland.asked, bland.keys, strict=True)}
    assert keys == {("v1", "Bearer sk_test"), ("storage", "")}


@pytest.mark.parametrize("odd", [b"[]", b"{}", b'{"calls": 7}', b"<html>"])
async def test_an_answer_that_is_no_list_is_unreadable(bland: BlandProvider, odd: bytes) -> None:
    client = OutboundClient(ALLOWED)
    api = PROVIDER.open_api(client, Credentials("sk_test", base_url=bland.url))
    bland.odd["calls"] = odd
    with pytest.raises(Unavailable, match="provider_answer_unreadable"):
        await source.list_ended(api, datetime.now(UTC), "")
    await client.close()


async def test_a_recording_at_an_inner_address_is_not_fetched(
    calllog: CallLog, bland: BlandProvider, conversation: str
) -> None:
    org = await calllog.organization(PATHWAY, bland.url, "bland")
    bland.add(conversation, recording_url="http://169.254.169.254/latest/meta-data.wav")
    await deliver(calllog, org, bland.conversations[conversation])
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    assert (await calllog.get(org.id, call.id)).recording.status == "failed"

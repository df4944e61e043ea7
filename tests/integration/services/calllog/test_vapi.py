"""Vapi's calls: told by its server messages, in any order and more than once, or fetched from a stand-in whose answers
the official SDK reads."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from vapi import AsyncVapi
from vapi.types import ServerMessageEndOfCallReport, ServerMessageStatusUpdate

from echosenseix.calllog.v1 import calllog_pb2
from libs.errors import InvalidArgument, NotFound, Unauthenticated, Unavailable
from libs.http import OutboundClient
from providers.interface.calls import EndedCalls
from providers.interface.credentials import Credentials
from providers.vapi import PROVIDER
from providers.vapi import calls as source

from .conftest import ALLOWED, SECRET, CallLog, Organization
from .provider import SAMPLES, VapiProvider, serving
from .test_provider_jobs import download
from .test_retell import reconcile

AGENT = "3d1f5f3e-4b52-4c8e-9d0e-0a7f4b8e6c21"
AUDIO = b"RIFF" + bytes(range(256)) * 500
Listed = Callable[[str], Awaitable[EndedCalls]]
HOUR_AGO = datetime.now(UTC).replace(microsecond=250_000) - timedelta(hours=1)


@pytest_asyncio.fixture(loop_scope="session")
async def vapi() -> AsyncIterator[VapiProvider]:
    async with serving(VapiProvider()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def listed(vapi: VapiProvider) -> AsyncIterator[Listed]:
    """One page of the list, by its cursor."""
    client = OutboundClient(ALLOWED)
    api = PROVIDER.open_api(client, Credentials("sk_test", base_url=vapi.url))
    yield lambda cursor: source.list_ended(api, HOUR_AGO - timedelta(days=1), cursor)
    await client.close()


def message(sample: str, conversation: str, **more: Any) -> dict[str, Any]:
    envelope = copy.deepcopy(json.loads((SAMPLES / "vapi" / f"{sample}.json").read_text()))
    envelope["message"].update(more)
    envelope["message"]["call"]["id"] = conversation
    return dict(envelope)


def report(conversation: str, **more: Any) -> dict[str, Any]:
    return message("end_of_call_report", conversation, **more)


async def deliver(calllog: CallLog, org: Organization, told: dict[str, Any], secret: str = SECRET) -> bool:
    body = json.dumps(told).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return await calllog.deliver(org, body, digest, "vapi", "x-vapi-signature")


async def topics(calllog: CallLog, org: Organization) -> list[str]:
    await calllog.settled(org.id)
    return [topic for topic, _ in await calllog.events(org.id)]


async def test_the_official_sdk_reads_the_stand_in_and_the_samples(vapi: VapiProvider) -> None:
    for number in range(3):
        vapi.add(f"call_{number}", HOUR_AGO + timedelta(minutes=number))
    vapi.keep_audio("call_2", AUDIO)
    client = AsyncVapi(token="sk_test", base_url=vapi.url)
    page = await client.calls.list(limit=2)
    assert [row.id for row in page] == ["call_2", "call_1"]
    assert [type(row).model_validate(row.model_dump(by_alias=True)) for row in page] == page
    rest = await client.calls.list(limit=2, created_at_lt=page[-1].created_at)
    assert [row.id for row in rest] == ["call_0"]
    one = await client.calls.get("call_2")
    assert type(one).model_validate(one.model_dump(by_alias=True)) == one
    assert one.artifact is not None
    assert (one.ended_reason, one.artifact.recording_url) == ("customer-ended-call", f"{vapi.url}/storage/call_2.wav")
    told = ServerMessageEndOfCallReport.model_validate(report("call_2")["message"])
    assert told.call
    assert told.artifact.messages
    assert (told.call.id, told.ended_reason, len(told.artifact.messages)) == ("call_2", "customer-ended-call", 7)
    begun = ServerMessageStatusUpdate.model_validate(message("status_update", "call_2")["message"])
    assert begun.call
    assert (begun.call.id, begun.status) == ("call_2", "in-progress")
    http = OutboundClient(ALLOWED)
    fetched = json.loads(
        await source.fetch_report(PROVIDER.open_api(http, Credentials("sk_test", base_url=vapi.url)), "call_2")
    )
    await http.close()
    again = ServerMessageEndOfCallReport.model_validate(fetched["message"]).call
    assert again
    assert again.id == "call_2"


async def test_a_report_becomes_a_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    assert await deliver(calllog, org, report(conversation)) is False
    call = await calllog.call_of(org.id, conversation)
    assert (call.provider, call.agent_version, call.external_agent_id) == ("vapi", 1, AGENT)
    assert (call.status, call.direction) == (
        calllog_pb2.CALL_STATUS_COMPLETED, calllog_pb2.CALL_DIRECTION_INBOUND,
    )  # fmt: skip
    assert (call.from_number, call.to_number) == ("+4930555020", "+4930555010")
    assert (call.duration_seconds, call.successful) == (31.25, True)
    assert "beekeeping" in call.summary
    assert call.termination_reason == "customer-ended-call"
    assert not call.HasField("provider_cost_units")
    assert [turn.text for turn in call.transcript][:2] == [
        "Apiary at the mill, good morning.", "Can I move my beekeeping lesson to Saturday?",
    ]  # fmt: skip
    tool: Any = call.transcript[2].tool_calls[0]
    assert (tool["name"], tool["arguments"]["day"], tool["result"]) == ("free_lessons", "saturday", '["10:00"]')
    ((topic, data),) = await calllog.events(org.id)
    assert (topic, data["billable"], data["durationSeconds"]) == ("call.ended", True, 31.25)
    assert [found.id for found in (await calllog.list(org.id, search="wonderful")).calls] == [call.id]
    # What the system told the model is neither shown nor found.
    assert list((await calllog.list(org.id, search="4711")).calls) == []


async def test_ten_deliveries_at_once_make_one_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    duplicates = await asyncio.gather(*(deliver(calllog, org, report(conversation)) for _ in range(10)))
    assert sorted(duplicates) == [False, *[True] * 9]
    await calllog.call_of(org.id, conversation)
    assert await topics(calllog, org) == ["call.ended"]
    assert (await calllog.list(org.id)).page_info.total == 1


TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "queued": ("status_update", {"status": "queued"}),
    "begun": ("status_update", {}),
    "ended": ("status_update", {"status": "ended", "endedReason": "customer-ended-call"}),
    "bare": ("end_of_call_report", {"analysis": {}}),
    "full": ("end_of_call_report", {}),
}


@pytest.mark.parametrize("order", list(itertools.permutations(TOLD))[::7])
async def test_messages_in_any_order_make_the_same_call(
    calllog: CallLog, conversation: str, order: tuple[str, ...]
) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    for name in order:
        sample, more = TOLD[name]
        await deliver(calllog, org, message(sample, conversation, **more))
        await calllog.settled(org.id)
    call = await calllog.call_of(org.id, conversation)
    assert (call.status, call.duration_seconds) == (calllog_pb2.CALL_STATUS_COMPLETED, 31.25)
    assert ("beekeeping" in call.summary, call.successful, len(call.transcript)) == (True, True, 5)
    assert (await topics(calllog, org)).count("call.ended") == 1
    assert (await calllog.list(org.id)).page_info.total == 1


async def test_a_call_is_shown_while_it_goes_on(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    await deliver(calllog, org, message("status_update", conversation, status="ringing"))
    await calllog.settled(org.id)
    assert (await calllog.list(org.id)).page_info.total == 0
    assert await deliver(calllog, org, message("status_update", conversation)) is True
    call = await calllog.call_of(org.id, conversation)
    assert (call.status, call.HasField("end_time")) == (calllog_pb2.CALL_STATUS_IN_PROGRESS, False)
    await deliver(calllog, org, report(conversation))
    assert await topics(calllog, org) == ["call.started", "call.ended"]


async def test_what_belongs_to_the_talk_is_kept_and_left_alone(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    for kind in ("speech-update", "transcript", "conversation-update", "tool-calls"):
        assert await deliver(calllog, org, report(conversation, type=kind)) is False
        assert await deliver(calllog, org, report(conversation, type=kind)) is True
    assert await calllog.jobs(org.id) == []
    kept = "select count(*) from envelope e where e.org_id = $1 and e.provider = 'vapi' and e.key = $2"
    assert await calllog.database.system_fetchval(kept, org.id, conversation) == 4


async def test_another_organization_never_sees_the_call(calllog: CallLog, conversation: str) -> None:
    ours = await calllog.organization(AGENT, provider="vapi")
    theirs = await calllog.organization(AGENT, provider="vapi")
    await deliver(calllog, ours, report(conversation))
    call = await calllog.call_of(ours.id, conversation)
    assert (await calllog.list(theirs.id)).page_info.total == 0
    assert (await calllog.list(theirs.id, search="beekeeping")).page_info.total == 0
    with pytest.raises(NotFound, match="call_not_found"):
        await calllog.get(theirs.id, call.id)
    # The same id told to them is a call of theirs, served by their own agent.
    assert await deliver(calllog, theirs, report(conversation)) is False
    own = await calllog.call_of(theirs.id, conversation)
    assert (own.id != call.id, own.agent_id != call.agent_id) == (True, True)


async def test_what_does_not_prove_itself_or_tells_nothing_is_refused(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider="vapi")
    with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
        await deliver(calllog, org, report(conversation), secret="guessed")
    body = json.dumps(report(conversation)).encode()
    for header, shown in (("", ""), ("authorization", "Bearer sk_test"), ("x-vapi-secret", f"{SECRET}x")):
        with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
            await calllog.deliver(org, body, shown, "vapi", header)
    elevenlabs = await calllog.organization(AGENT)
    with pytest.raises(NotFound, match="webhook_unknown"):
        await deliver(calllog, elevenlabs, report(conversation))
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        await deliver(calllog, org, {"message": {"type": "end-of-call-report"}})
    assert await calllog.deliver(org, body, f"Bearer {SECRET}", "vapi", "authorization") is False
    assert await calllog.deliver(org, body, SECRET, "vapi", "x-vapi-secret") is True


async def test_calls_that_no_message_told_are_found_with_their_recordings(
    calllog: CallLog, vapi: VapiProvider, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over pages that end among calls of one millisecond, and one that holds nothing else."""
    monkeypatch.setattr(source, "PAGE_SIZE", 3)
    org = await calllog.organization(AGENT, vapi.url, "vapi")
    missed = [f"{conversation}-{number:02}" for number in range(14)]
    for number, call_id in enumerate(missed):
        # Two apart; eight in one millisecond, some microseconds apart; four apart.
        apart = timedelta(minutes=number) if not 2 <= number < 10 else timedelta(minutes=2, microseconds=90 * number)
        vapi.add(call_id, HOUR_AGO + apart)
    vapi.add(f"{conversation}-running", HOUR_AGO, status="in-progress", endedReason=None, endedAt=None)
    vapi.add(f"{conversation}-old", HOUR_AGO - timedelta(days=8))
    vapi.keep_audio(missed[4], AUDIO)
    assert await reconcile(calllog, org.id, "vapi") == {"listed": 14, "missing": 14, "unreadable": 0}
    calls = (await calllog.list(org.id)).calls
    assert sorted(call.external_call_id for call in calls) == missed
    assert {(call.provider, call.agent_version, call.status) for call in calls} == {
        ("vapi", 1, calllog_pb2.CALL_STATUS_COMPLETED)
    }
    call = await calllog.call_of(org.id, missed[4])
    await calllog.settled(org.id, "audio.process")
    recording, content = await download(calllog, org.id, call.id)
    assert (recording.status, recording.media_type, content) == ("available", "audio/wav", AUDIO)
    assert await reconcile(calllog, org.id, "vapi") == {"listed": 14, "missing": 0, "unreadable": 0}
    # The message that comes late after all meets what was found.
    assert await deliver(calllog, org, report(missed[0])) is True
    assert set(await topics(calllog, org)) == {"call.ended", "call.recording_ready"}


async def test_a_call_that_never_ended_here_is_completed(
    calllog: CallLog, vapi: VapiProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, vapi.url, "vapi")
    await deliver(calllog, org, message("status_update", conversation))
    await calllog.call_of(org.id, conversation)
    vapi.add(conversation)
    assert await reconcile(calllog, org.id, "vapi") == {"listed": 1, "missing": 1, "unreadable": 0}
    assert (await calllog.call_of(org.id, conversation)).status == calllog_pb2.CALL_STATUS_COMPLETED


async def test_more_calls_of_one_moment_than_a_page_may_hold_fail_and_are_not_passed_over(
    vapi: VapiProvider, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_SIZE", 2)
    monkeypatch.setattr(source, "_MAX_PAGE_SIZE", 4)
    for number in range(5):
        vapi.add(f"call_{number}", HOUR_AGO)
    first = await listed("")
    second = await listed(first.next_cursor)
    assert (len(first.ids), len(second.ids)) == (2, 2)
    with pytest.raises(Unavailable, match="provider_answer_unreadable"):
        await listed(second.next_cursor)


@pytest.mark.parametrize("odd", [b"{}", b"[7]", b'[{"id": "c", "status": "ended"}]', b"<html>"])
async def test_a_list_that_is_none_is_said_to_be_unreadable(
    vapi: VapiProvider, listed: Listed, odd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_SIZE", 1)
    vapi.odd["call"] = odd
    with pytest.raises(Unavailable, match="provider_answer_unreadable"):
        await listed("")


async def test_the_key_goes_to_the_api_and_not_to_the_storage(
    calllog: CallLog, vapi: VapiProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, vapi.url, "vapi")
    vapi.add(conversation)
    vapi.keep_audio(conversation, AUDIO)
    await deliver(calllog, org, report(conversation, artifact=vapi.conversations[conversation]["artifact"]))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    assert (await calllog.get(org.id, call.id)).recording.status == "available"
    keys = {(target.split("/")[1], key) for target, key in zip(vapi.asked, vapi.keys, strict=True)}
    assert keys == {("call", "Bearer sk_test"), ("storage", "")}


async def test_a_recording_that_is_gone_or_lies_inside_is_not_fetched(
    calllog: CallLog, vapi: VapiProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, vapi.url, "vapi")
    told = {"recordingUrl": "http://169.254.169.254/latest/meta-data.wav"}
    fates = {"gone": ({}, "unavailable"), "inside": (told, "failed")}
    for name, (kept, _) in fates.items():
        vapi.add(f"{conversation}-{name}", artifact=kept)
        await deliver(calllog, org, report(f"{conversation}-{name}", artifact=told))
    for name, (_, fate) in fates.items():
        call = await calllog.call_of(org.id, f"{conversation}-{name}")
        await calllog.settled(org.id, "audio.process")
        assert (await calllog.get(org.id, call.id)).recording.status == fate

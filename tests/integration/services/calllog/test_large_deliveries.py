"""Deliveries that come in pieces: stored as they were sent, or refused and forgotten."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2
from libs.errors import InvalidArgument, NotFound, Unauthenticated, Unavailable
from services.calllog.servicer import deliveries
from services.calllog.servicer.deliveries import DELIVERY_BYTES, REPORT_BYTES, STREAMS

from .conftest import CallLog, Organization, as_org, as_service, sign, transcription
from .test_provider_jobs import download

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"
AUDIO = b"ID3" + random.Random(4).randbytes(20 * 1024 * 1024 + 1)


def audio(conversation: str, content: bytes = AUDIO) -> bytes:
    data = {"agent_id": AGENT, "conversation_id": conversation, "full_audio": base64.b64encode(content).decode()}
    return json.dumps({"type": "post_call_audio", "event_timestamp": 1_767_344_661, "data": data}).encode()


async def kept(calllog: CallLog, org: Organization) -> tuple[int, int]:
    """Envelopes, and available recordings, of an organization."""
    count = "select count(*) from {} where org_id = $1"
    envelopes = await calllog.database.system_fetchval(count.format("envelope"), org.id)
    recordings = await calllog.database.system_fetchval(count.format("recording") + " and status = 'available'", org.id)
    return envelopes, recordings


def open_files() -> list[str]:
    """The files that the process holds open. Sockets are left out: pools open and close them at any time."""
    folder = Path("/proc/self/fd")
    return sorted(str(link.readlink()) for link in folder.iterdir() if link.is_file())


async def test_a_large_recording_is_stored_as_it_was_sent(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation))
    call = await calllog.call_of(org.id, conversation)
    assert await calllog.stream(org, audio(conversation)) is False
    assert await calllog.stream(org, audio(conversation)) is True
    assert (await download(calllog, org.id, call.id))[1] == AUDIO
    assert (await calllog.get(org.id, call.id)).recording.byte_size == len(AUDIO)
    told = [topic for topic, _ in await calllog.events(org.id)]
    assert told == ["call.ended", "call.recording_ready"]
    bodies = (
        "select coalesce(sum(length(e.body)), 0) from envelope e where e.org_id = $1 and e.event_type like '%audio'"
    )
    assert await calllog.database.system_fetchval(bodies, org.id) == 0


async def test_a_delivery_that_breaks_off_leaves_nothing_and_may_come_again(
    calllog: CallLog, conversation: str
) -> None:
    org = await calllog.organization(AGENT)
    files = open_files()
    with pytest.raises(asyncio.CancelledError):
        await calllog.stream(org, audio(conversation), sent=10 * 1024 * 1024)
    assert await kept(calllog, org) == (0, 0)
    assert open_files() == files
    assert await calllog.stream(org, audio(conversation)) is False
    assert await kept(calllog, org) == (1, 1)


async def test_ten_at_once_are_a_few_at_a_time(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    body = audio(conversation, AUDIO[: 2 * 1024 * 1024])
    outcomes = await asyncio.gather(*(calllog.stream(org, body) for _ in range(10)), return_exceptions=True)
    busy = [error.reason for error in outcomes if isinstance(error, Unavailable)]
    assert busy == ["too_busy"] * (10 - STREAMS)
    assert await kept(calllog, org) == (1, 1)
    assert await calllog.stream(org, body) is True


async def test_a_forged_large_delivery_leaves_nothing(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    body = audio(conversation)
    for signature in ("", sign(body, "another"), sign(body + b" "), sign(body, at=time.time() - 1_900)):
        with pytest.raises(Unauthenticated, match="webhook_signature_invalid"):
            await calllog.stream(org, body, signature)
    with pytest.raises(NotFound, match="webhook_unknown"):
        await calllog.stream(Organization(org.id, "stranger"), body)
    assert await kept(calllog, org) == (0, 0)


async def test_more_than_the_limits_is_too_large(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    with pytest.raises(InvalidArgument, match="payload_too_large"):
        await calllog.stream(org, b" " * (DELIVERY_BYTES + 1))
    report = json.dumps(transcription(conversation, summary="x" * REPORT_BYTES)).encode()
    with pytest.raises(InvalidArgument, match="payload_too_large"):
        await calllog.stream(org, report)
    assert await kept(calllog, org) == (0, 0)


async def test_a_large_report_makes_its_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    turns = [{"role": "user", "message": "word " * 100, "time_in_call_secs": number} for number in range(5_000)]
    assert await calllog.stream(org, json.dumps(transcription(conversation, transcript=turns)).encode()) is False
    call = await calllog.call_of(org.id, conversation)
    assert len(call.transcript) == 5_000


@pytest.mark.parametrize("broken", ["", "=", "AAA", "AAAA=AAAA", "not base64 "])
async def test_a_recording_that_is_none_is_refused(calllog: CallLog, conversation: str, broken: str) -> None:
    org = await calllog.organization(AGENT)
    whole = json.loads(audio(conversation, AUDIO[:1_200_000]))
    whole["data"]["full_audio"] += broken
    body = json.dumps(whole).encode()
    if not broken:
        assert await calllog.stream(org, body) is False
        return
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        await calllog.stream(org, body)
    assert await kept(calllog, org) == (0, 0)


async def put_secret(calllog: CallLog, org: Organization, **fields: Any) -> None:
    credentials = agent_pb2.ProviderCredentials(**fields)
    with as_org(org.id):
        await calllog.integrations.PutIntegration(
            agent_pb2.PutIntegrationRequest(provider="elevenlabs", credentials=credentials), None
        )


async def test_a_new_secret_counts_at_once_although_the_old_one_is_in_memory(
    calllog: CallLog, conversation: str
) -> None:
    org = await calllog.organization(AGENT)
    body = json.dumps(transcription(conversation)).encode()
    await calllog.deliver(org, body)
    await put_secret(calllog, org, webhook_secret="wsec_next")
    assert await calllog.deliver(org, body, sign(body, "wsec_next")) is True


async def test_a_removed_account_is_forgotten_when_the_change_is_heard(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation))
    with as_org(org.id):
        await calllog.integrations.DeleteIntegration(agent_pb2.DeleteIntegrationRequest(provider="elevenlabs"), None)
    calllog.senders.on_message("cache.inv.agent", b"integration:org_other\nagent:" + org.id.encode())
    assert await calllog.deliver(org, transcription(conversation)) is True
    calllog.senders.on_message("cache.inv.agent", f"integration:{org.id}\nintegration:{org.id}:int_1".encode())
    with pytest.raises(NotFound, match="webhook_unknown"):
        await calllog.deliver(org, transcription(conversation))


async def test_the_agent_of_a_call_is_asked_for_once_until_agents_change(
    calllog: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await calllog.organization(AGENT)
    asked: list[str] = []
    ask = calllog.senders._agent_service.ResolveWebhookAgent

    async def counted(request: agent_pb2.ResolveWebhookAgentRequest) -> agent_pb2.ResolveWebhookAgentResponse:
        asked.append(request.external_agent_id)
        return await ask(request)

    monkeypatch.setattr(calllog.senders._agent_service, "ResolveWebhookAgent", counted)

    async def version_of(number: int, **data: Any) -> int:
        await calllog.deliver(org, transcription(f"{org.id}-{number}", **data))
        return int((await calllog.call_of(org.id, f"{org.id}-{number}")).agent_version)

    assert [await version_of(1), await version_of(2)] == [1, 1]
    assert asked == [AGENT]
    with as_org(org.id):
        agent = (await calllog.agents.ListAgents(agent_pb2.ListAgentsRequest(), None)).agents[0]
        await calllog.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=agent.id), None)
    calllog.senders.on_message("cache.inv.agent", b"agent:org_other\nintegration:" + org.id.encode())
    assert await version_of(3) == 1
    calllog.senders.on_message("cache.inv.agent", f"agent:{org.id}\nagent:{org.id}:{agent.id}".encode())
    assert await version_of(4) == 2
    # One that is not known may be made at any moment.
    assert [await version_of(number, agent_id="unknown") for number in (5, 6)] == [0, 0]
    assert asked == [AGENT, AGENT, "unknown", "unknown"]


async def test_a_stream_without_a_head_is_refused(calllog: CallLog) -> None:
    async def empty() -> Any:
        return
        yield

    with as_service(), pytest.raises(NotFound, match="webhook_unknown"):
        await calllog.servicer.StreamProviderWebhook(empty(), None)
    assert deliveries.STREAMS == STREAMS
    assert calllog_pb2.StreamProviderWebhookRequest().WhichOneof("part") is None

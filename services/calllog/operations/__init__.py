"""Operations that methods and jobs share: keep a provider's delivery, and store a recording that it carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime

from libs.blobs import BlobStore
from libs.events.outbox import append
from libs.jobs import WAITING, JobKind
from libs.postgres import Connection, Database
from providers.interface.envelopes import Envelope, Makes
from providers.interface.provider import Provider
from services.calllog.domain.calls import Recording
from services.calllog.domain.masking import masked
from services.calllog.mapping import stored_call_event
from services.calllog.storage.calls import Calls
from services.calllog.storage.envelopes import Envelopes
from services.calllog.storage.recordings import Recordings, stored_as

SERVICE = "calllog"
# The agent service may be away for an hour: an envelope waits for it rather than becoming a call without an agent.
INGEST = JobKind(
    "call.ingest", service=SERVICE, queue="ingest", max_attempts=20, timeout_seconds=60,
    backoff=(1, 2, 5, 10, 30, 60, 300),
)  # fmt: skip
AUDIO = JobKind(
    "audio.process", service=SERVICE, queue="audio", max_attempts=6, timeout_seconds=900,
    backoff=(5, 30, 120, 600), unique_by=("recordingId",),
)  # fmt: skip
# The key is free again as soon as the recomputation starts: a call that is written meanwhile needs the next one.
AGGREGATE = JobKind(
    "analytics.aggregate", service=SERVICE, max_attempts=10, timeout_seconds=60,
    unique_by=("hour",), unique_states=WAITING,
)  # fmt: skip
RECONCILE = JobKind(
    "call.reconcile", service=SERVICE, queue="reconcile", max_attempts=5, timeout_seconds=900,
    backoff=(5, 30, 120, 600), unique_by=("provider",),
)  # fmt: skip
SWEEP = JobKind("retention.sweep", service=SERVICE, queue="maintenance")


async def keep_delivery(
    conn: Connection, stored: Envelopes, org_id: str, envelope: Envelope, body: bytes, source: str, now: datetime
) -> bool:
    """Store the envelope of anything but a recording, and enqueue its call; True when the same delivery was stored
    before."""
    kept = await stored.keep(conn, org_id, envelope, masked(body), source, now)
    if kept.id and envelope.makes is not Makes.NOTHING:
        await INGEST.enqueue(conn, org_id, {"envelopeId": kept.id})
    return kept.duplicate


@dataclass(frozen=True, slots=True)
class DeliveredRecordings:
    """Recordings that a provider delivers. One may come before its call, so it is kept under the conversation."""

    database: Database
    calls: Calls
    recordings: Recordings
    blobs: BlobStore

    async def store(self, org_id: str, envelope: Envelope, provider: Provider, now: datetime) -> Recording | None:
        """Put the bytes into object storage; what `settle` writes then. None when a recording is stored already."""
        await asyncio.to_thread(_read_through, provider.read_audio(envelope))
        async with self.database.transaction(org_id) as conn:
            recording = await self.recordings.expect(conn, org_id, envelope.provider, envelope.key, now)
        if recording.status == "available":
            return None
        size = await self.blobs.put(recording.key, _beside_the_loop(provider.read_audio(envelope)))
        return stored_as(recording, "audio/mpeg", size)

    async def settle(self, conn: Connection, recording: Recording, now: datetime) -> None:
        """Write the recording's result and announce it with its call. The statement waits for a call that is being
        written; a call that arrives later announces the recording itself."""
        conversation = (recording.org_id, recording.provider, recording.external_call_id)
        await self.calls.lock(conn, *conversation)
        if await self.recordings.is_available(conn, *conversation):
            return
        call = await self.calls.touch(conn, *conversation, now)
        await self.recordings.settle(conn, recording, now)
        if call is not None:
            await append(conn, stored_call_event("call.recording_ready", call))


def _read_through(pieces: Iterator[bytes]) -> None:
    """Raise what reading raises, before anything is stored."""
    for _ in pieces:
        pass


async def _beside_the_loop(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece

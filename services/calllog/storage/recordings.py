"""Recordings of calls: their metadata and keys. The bytes are in object storage."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from libs.ids import new_id
from libs.postgres import Connection, Database, Record
from services.calllog.domain.calls import Recording, Segment, Transcription

_COLUMNS = """r.id, r.org_id, r.provider, r.external_call_id, r.status, r.media_type, r.byte_size, r.blob_key,
    r.transcription_status"""
_OF_CALL = f"""
select {_COLUMNS} from recording r
join call c on c.org_id = r.org_id and c.provider = r.provider and c.external_call_id = r.external_call_id
where r.org_id = o.org and c.id = $2"""
_STATUS = "select r.status from recording r where r.org_id = $1 and r.provider = $2 and r.external_call_id = $3"
_GET = f"select {_COLUMNS} from recording r where r.org_id = $1 and r.id = $2 for update"
_EXPECT = f"""
insert into recording as r
    (org_id, id, provider, external_call_id, status, media_type, byte_size, blob_key, created_at, updated_at)
values ($1, $2, $3, $4, 'pending', '', 0, '', $5, $5)
on conflict (org_id, provider, external_call_id) do update set updated_at = r.updated_at
returning {_COLUMNS}"""
_SETTLE = """
update recording set status = $3, media_type = $4, byte_size = $5, blob_key = $6, updated_at = $7
where org_id = $1 and id = $2"""
_TRANSCRIBED = """
update recording set transcription_status = $3, transcription = $4, transcription_model = $5,
    transcription_language = $6, transcription_seconds = $7, transcription_segments = $8::text::jsonb
where org_id = $1 and id = $2"""
_TRANSCRIPTION = """
select r.transcription_status, r.transcription, r.transcription_model, r.transcription_language,
    r.transcription_seconds, r.transcription_segments::text as segments
from recording r
join call c on c.org_id = r.org_id and c.provider = r.provider and c.external_call_id = r.external_call_id
where r.org_id = o.org and c.id = $2"""


class Recordings:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_call(self, org_id: str, call_id: str) -> Recording | None:
        row = await self._db.fetchrow(org_id, _OF_CALL, call_id)
        return _from_row(row) if row else None

    async def is_available(self, conn: Connection, org_id: str, provider: str, external_call_id: str) -> bool:
        """Whether the conversation's recording is stored; stable while the caller holds the conversation's lock."""
        status = await conn.fetchval(_STATUS, org_id, provider, external_call_id)
        return bool(status == "available")

    async def expect(
        self, conn: Connection, org_id: str, provider: str, external_call_id: str, now: datetime
    ) -> Recording:
        """The conversation's recording; made as pending when there is none."""
        row = await conn.fetchrow(_EXPECT, org_id, new_id("rec"), provider, external_call_id, now)
        assert row is not None  # noqa: S101 an upsert that always returns
        return _from_row(row)

    async def get(self, conn: Connection, org_id: str, recording_id: str) -> Recording | None:
        """The recording, held until the transaction ends."""
        row = await conn.fetchrow(_GET, org_id, recording_id)
        return _from_row(row) if row else None

    async def settle(self, conn: Connection, recording: Recording, now: datetime) -> None:
        """Write its status and the key of its bytes."""
        await conn.execute(
            _SETTLE, recording.org_id, recording.id, recording.status, recording.media_type, recording.byte_size,
            recording.blob_key, now,
        )  # fmt: skip

    async def keep_transcription(self, conn: Connection, recording: Recording, heard: Transcription) -> None:
        segments = [[part.start_seconds, part.end_seconds, part.text] for part in heard.segments]
        await conn.execute(
            _TRANSCRIBED, recording.org_id, recording.id, heard.status, heard.text or None, heard.model,
            heard.language, heard.duration_seconds, json.dumps(segments),
        )  # fmt: skip

    async def transcription_of_call(self, org_id: str, call_id: str) -> Transcription | None:
        """None when the call has no recording."""
        row = await self._db.fetchrow(org_id, _TRANSCRIPTION, call_id)
        if row is None:
            return None
        return Transcription(
            row["transcription_status"], row["transcription"] or "", row["transcription_model"],
            row["transcription_language"], row["transcription_seconds"],
            tuple(Segment(*part) for part in json.loads(row["segments"])),
        )  # fmt: skip


def stored_as(recording: Recording, media_type: str, byte_size: int) -> Recording:
    """The recording once its bytes lie under its key."""
    return replace(recording, status="available", media_type=media_type, byte_size=byte_size, blob_key=recording.key)


def _from_row(row: Record) -> Recording:
    return Recording(**dict(row.items()))

"""What the sweep deletes: all that is past its time, in batches, and nothing younger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from libs.clock import SystemClock
from libs.ids import new_id
from libs.paging import CursorCodec
from providers.registry import PROVIDERS
from services.calllog.domain.commands import PENDING, Command
from services.calllog.jobs.retention import Retention
from services.calllog.storage import commands, envelopes

from .conftest import CallLog, transcription
from .test_live_calls import begin


async def test_everything_past_its_time_is_deleted_batch_after_batch(
    calllog: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SWEEP_BATCH", 2)
    monkeypatch.setattr(envelopes, "SWEEP_BATCH", 2)
    org, now = new_id("org"), datetime.now(UTC)
    call = await begin(calllog, org)
    kept, given = envelopes.Envelopes(), commands.Commands(calllog.database, CursorCodec(b"c" * 32))
    async with calllog.database.transaction(org) as conn:
        for age in (31, 32, 33, 34, 35, 1):
            moment = now - timedelta(days=age)
            body = json.dumps(transcription(new_id("conv"))).encode()
            parsed = PROVIDERS["elevenlabs"].parse_envelope(body)
            await kept.keep(conn, org, parsed, body, "webhook", moment, moment)
            command = Command(
                new_id("cmd"), org, call.id, "", "end_call", "", "", "", PENDING, "", moment, moment
            )  # fmt: skip
            await given.add(conn, command)
    assert await Retention(calllog.database, kept, given, SystemClock()).sweep() == {"envelopes": 5, "commands": 5}
    for table in ("envelope", "call_command"):
        assert await calllog.database.system_fetchval(f"select count(*) from {table} where org_id = $1", org) == 1

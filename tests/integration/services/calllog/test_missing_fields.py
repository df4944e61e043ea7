"""Deliveries whose optional fields are missing or null, through the queue to the stored call: none is lost."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.common.v1 import common_pb2
from libs.clock import utcnow
from providers.registry import PROVIDERS
from services.calllog.operations import keep_delivery
from services.calllog.storage.envelopes import Envelopes

from .conftest import CallLog

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
EACH = 12


def thinned(value: Any, chosen: random.Random) -> Any:
    """The value with about a third of its members gone or null, at every depth."""
    if isinstance(value, list):
        return [thinned(item, chosen) for item in value]
    if not isinstance(value, dict):
        return value
    fate = {name: chosen.random() for name in value}
    kept = {name: thinned(inner, chosen) for name, inner in value.items() if fate[name] > 0.2}
    return {name: None if fate[name] < 0.35 else inner for name, inner in kept.items()}


def delivery(provider: str, number: int, chosen: random.Random) -> tuple[str, dict[str, Any]]:
    """A thinned delivery that still says which call it is of, and the call's id."""
    name = {"elevenlabs": "post_call_transcription", "retell": "call_analyzed", "vapi": "end_of_call_report"}
    sample = json.loads((SAMPLES / provider / f"{name.get(provider, 'call')}.json").read_text("utf-8"))
    call_id, thin = f"thin_{provider}_{number}", thinned(sample, chosen)
    if provider == "elevenlabs":
        return call_id, {
            **thin,
            "type": sample["type"],
            "data": {**(thin.get("data") or {}), "conversation_id": call_id},
        }
    if provider == "retell":
        return call_id, {**thin, "event": sample["event"], "call": {**(thin.get("call") or {}), "call_id": call_id}}
    if provider == "vapi":
        message = thin.get("message") or {}
        call = {**(message.get("call") or {}), "id": call_id}
        return call_id, {"message": {**message, "type": sample["message"]["type"], "call": call}}
    return call_id, {**thin, "call_id": call_id}


async def test_no_missing_field_loses_a_call(calllog: CallLog) -> None:
    org = await calllog.organization()
    expected = set()
    for provider in PROVIDERS:
        chosen = random.Random(provider)
        for number in range(EACH):
            call_id, document = delivery(provider, number, chosen)
            expected.add(call_id)
            body = json.dumps(document).encode()
            envelope = PROVIDERS[provider].parse_envelope(body)
            async with calllog.database.transaction(org.id) as conn:
                await keep_delivery(conn, Envelopes(), org.id, envelope, body, "webhook", utcnow())
    await calllog.settled(org.id)
    states = [job["state"] for job in await calllog.jobs(org.id)]
    assert states == ["completed"] * len(expected)
    calls = (await calllog.list(org.id, page=common_pb2.PageRequest(limit=200))).calls
    assert {call.external_call_id for call in calls} == expected
    assert calllog_pb2.CALL_STATUS_UNSPECIFIED not in {call.status for call in calls}

"""Inbound webhooks: what is kept, what is refused, and that one conversation makes one call."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2
from libs.errors import AppError, InvalidArgument, NotFound, PermissionDenied, Unauthenticated, Unavailable
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.connection import count_statements
from libs.rpc.errors import error_from_details
from libs.telemetry import new_traceparent, use_traceparent
from services.calllog.domain.calls import ServedBy
from services.calllog.operations import AUDIO
from services.calllog.storage import new_calls
from services.calllog.storage.new_calls import NewCall

from .conftest import SAMPLES, CallLog, Organization, as_org, as_service, eventually, failure, sign, transcription

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"


async def test_a_conversation_becomes_a_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    assert await calllog.deliver(org, transcription(conversation)) is False
    call = await calllog.call_of(org.id, conversation)
    assert call.agent_id.startswith("agt_")
    assert call.agent_version == 1
    assert call.provider == "elevenlabs"
    assert call.external_agent_id == AGENT
    assert call.status == calllog_pb2.CALL_STATUS_COMPLETED
    assert call.direction == calllog_pb2.CALL_DIRECTION_INBOUND
    assert (call.from_number, call.to_number) == ("+4930555020", "+4930555010")
    assert call.successful
    assert call.duration_seconds == 37
    assert call.end_time.seconds - call.start_time.seconds == 37
    assert call.title == "Tasting rescheduled"
    assert "marzipan" in call.summary
    assert call.provider_cost_units == 296
    assert call.language == "en"
    assert not call.HasField("cost")
    assert not call.HasField("recording")
    assert [turn.index for turn in call.transcript] == list(range(6))
    assert call.transcript[1].role == calllog_pb2.SPEAKER_USER
    tool_turn: Any = call.transcript[2]
    assert tool_turn.text == ""
    assert tool_turn.tool_calls[0]["name"] == "find_slot"
    assert tool_turn.tool_calls[0]["arguments"]["day"] == "thursday"
    assert "15:30" in tool_turn.tool_calls[0]["result"]
    topics = [topic for topic, _ in await calllog.events(org.id)]
    assert topics == ["call.ended"]
    data = (await calllog.events(org.id))[0][1]
    assert data["callId"] == call.id
    assert data["billable"] is True
    assert data["durationSeconds"] == 37


async def test_ten_deliveries_at_once_make_one_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    duplicates = await asyncio.gather(*(calllog.deliver(org, transcription(conversation)) for _ in range(10)))
    assert sorted(duplicates) == [False, *[True] * 9]
    await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id)
    assert (await calllog.list(org.id)).page_info.total == 1
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended"]
    assert await calllog.jobs(org.id) == []  # the delivery makes its call itself


async def test_deliveries_that_arrive_together_share_transactions(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    conversations = [new_id("conv") for _ in range(20)]
    await calllog.deliver(org, transcription(new_id("conv")))  # the account and the agent are known from here on
    with count_statements() as sent:
        again = await asyncio.gather(*(calllog.deliver(org, transcription(name)) for name in conversations))
    assert again == [False] * 20
    assert sum("insert into envelope" in sql for sql in sent.statements) <= 10
    calls = [await calllog.call_of(org.id, name) for name in conversations]
    assert len({call.id for call in calls}) == 20
    assert all(len(call.transcript) == 6 and call.from_number == "+4930555020" for call in calls)
    ended = [data["callId"] for topic, data in await calllog.events(org.id) if topic == "call.ended"]
    assert sorted(ended[1:]) == sorted(call.id for call in calls)


async def test_deliveries_of_one_message_share_a_transaction_and_each_has_its_own_outcome(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    known, *new = (new_id("conv") for _ in range(4))
    await calllog.deliver(org, transcription(known))
    bodies = [json.dumps(transcription(name)).encode() for name in (known, *new)]
    traces = [new_traceparent() for _ in bodies]

    def delivery(body: bytes, signature: str, trace: str = "") -> calllog_pb2.ProviderDelivery:
        sent = calllog_pb2.ReceiveProviderWebhookRequest(
            provider="elevenlabs", webhook_token=org.token, body=body, proof_headers={"elevenlabs-signature": signature}
        )
        return calllog_pb2.ProviderDelivery(delivery=sent, traceparent=trace)

    deliveries = [delivery(body, sign(body), trace) for body, trace in zip(bodies, traces, strict=True)]
    forged, garbled = delivery(bodies[1], sign(b"other bytes")), delivery(b"[]", sign(b"[]"))
    with as_service(), count_statements() as sent:
        answer = await calllog.servicer.ReceiveProviderWebhooks(
            calllog_pb2.ReceiveProviderWebhooksRequest(deliveries=[*deliveries, forged, garbled]), None
        )
    assert sum("insert into envelope" in sql for sql in sent.statements) == 1
    assert [one.duplicate for one in answer.outcomes] == [True, False, False, False, False, False]
    refusals = [error_from_details(one.refusal) for one in answer.outcomes if one.refusal]
    assert [type(error) for error in refusals] == [Unauthenticated, InvalidArgument]
    assert [one.refusal == b"" for one in answer.outcomes] == [True] * 4 + [False] * 2
    calls = {(await calllog.call_of(org.id, name)).id: trace for name, trace in zip(new, traces[1:], strict=True)}
    events = await calllog.database.system_fetch(
        "select x.key, x.payload::text as payload from outbox x where x.org_id = $1 order by x.id offset 1", org.id
    )
    told = {row["key"]: json.loads(row["payload"])["traceparent"] for row in events}
    assert {call: trace.split("-")[1] for call, trace in told.items()} == {
        call: trace.split("-")[1] for call, trace in calls.items()
    }


async def test_what_deliveries_cause_that_arrive_together_keeps_the_trace_of_each(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    changed, new = ([new_id("conv") for _ in range(4)] for _ in range(2))
    for name in changed:
        await calllog.deliver(org, failure(name))
    before = len(await calllog.events(org.id))
    traces = {name: new_traceparent() for name in (*changed, *new)}

    async def under_its_trace(name: str) -> None:
        with use_traceparent(traces[name]):
            await calllog.deliver(org, transcription(name, has_audio=True))

    await asyncio.gather(*(under_its_trace(name) for name in traces))
    wanted = {(await calllog.call_of(org.id, name)).id: trace.split("-")[1] for name, trace in traces.items()}
    events = await calllog.database.system_fetch(
        "select x.payload::text as payload from outbox x where x.org_id = $1 order by x.id offset $2", org.id, before
    )
    told = [json.loads(row["payload"]) for row in events]
    assert {one["data"]["callId"]: one["traceparent"].split("-")[1] for one in told} == wanted
    jobs = await calllog.database.system_fetch(
        "select j.args ->> 'callId' as call, j.traceparent from job j where j.org_id = $1 and j.kind = $2",
        org.id, AUDIO.name,
    )  # fmt: skip
    assert {row["call"]: row["traceparent"].split("-")[1] for row in jobs} == wanted


async def test_a_delivery_that_cannot_be_kept_takes_no_other_with_it(
    calllog: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await calllog.organization(AGENT)
    good, bad = [new_id("conv") for _ in range(5)], new_id("conv")
    add = new_calls.add

    async def refusing(conn: Connection, org_id: str, calls: Sequence[NewCall], now: datetime) -> None:
        if any(call.report.external_call_id == bad for call in calls):
            raise InvalidArgument("test_refused", "This one cannot be kept.")
        await add(conn, org_id, calls, now)

    monkeypatch.setattr(new_calls, "add", refusing)
    told = await asyncio.gather(
        *(calllog.deliver(org, transcription(name)) for name in [*good[:3], bad, *good[3:]]), return_exceptions=True
    )
    assert [type(one) for one in told] == [bool] * 3 + [InvalidArgument] + [bool] * 2
    assert len({(await calllog.call_of(org.id, name)).id for name in good}) == 5
    assert len(await calllog.events(org.id)) == 5


async def test_a_fresh_signature_makes_no_second_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    body = json.dumps(transcription(conversation)).encode()
    assert await calllog.deliver(org, body, sign(body, at=time.time() - 60)) is False
    assert await calllog.deliver(org, body, sign(body)) is True
    later = transcription(conversation)
    later["event_timestamp"] += 100
    assert await calllog.deliver(org, later) is True
    await calllog.settled(org.id)
    assert (await calllog.list(org.id)).page_info.total == 1


async def test_two_organizations_may_have_the_same_conversation_id(calllog: CallLog, conversation: str) -> None:
    first, second = await calllog.organization(AGENT), await calllog.organization(AGENT)
    assert await calllog.deliver(first, transcription(conversation)) is False
    assert await calllog.deliver(second, transcription(conversation)) is False
    ours, theirs = await calllog.call_of(first.id, conversation), await calllog.call_of(second.id, conversation)
    assert ours.id != theirs.id
    with pytest.raises(NotFound, match="call_not_found"):
        await calllog.get(first.id, theirs.id)


async def test_an_unknown_agent_is_no_one(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization()
    await calllog.deliver(org, transcription(conversation))
    call = await calllog.call_of(org.id, conversation)
    assert (call.agent_id, call.agent_version) == ("", 0)


async def test_another_organizations_agent_is_no_one(calllog: CallLog, conversation: str) -> None:
    await calllog.organization("agent_of_others")
    org = await calllog.organization()
    await calllog.deliver(org, transcription(conversation, agent_id="agent_of_others"))
    assert (await calllog.call_of(org.id, conversation)).agent_id == ""


async def test_a_failed_start_is_a_call_without_usage(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, failure(conversation, "unknown"))
    call = await calllog.call_of(org.id, conversation)
    assert call.status == calllog_pb2.CALL_STATUS_FAILED
    assert not call.HasField("duration_seconds")
    assert call.to_number == "+4930555030"
    ((topic, data),) = await calllog.events(org.id)
    assert (topic, data["billable"]) == ("call.ended", False)


async def test_a_fuller_report_updates_and_never_doubles(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation, status="processing", transcript=[], analysis=None))
    early = await calllog.call_of(org.id, conversation)
    assert early.status == calllog_pb2.CALL_STATUS_IN_PROGRESS
    assert not early.HasField("duration_seconds")
    assert await calllog.deliver(org, transcription(conversation)) is True
    await calllog.settled(org.id)
    whole = await calllog.get(org.id, early.id)
    assert whole.status == calllog_pb2.CALL_STATUS_COMPLETED
    assert len(whole.transcript) == 6
    assert whole.version == 2
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.started", "call.ended"]
    await calllog.deliver(org, failure(conversation))
    await calllog.settled(org.id)
    assert (await calllog.get(org.id, early.id)).status == calllog_pb2.CALL_STATUS_COMPLETED
    assert (await calllog.list(org.id)).page_info.total == 1


async def test_reports_of_one_call_at_once_make_one_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await asyncio.gather(calllog.deliver(org, failure(conversation)), calllog.deliver(org, transcription(conversation)))
    await calllog.settled(org.id)
    calls = (await calllog.list(org.id)).calls
    assert [call.status for call in calls] == [calllog_pb2.CALL_STATUS_COMPLETED]
    assert [topic for topic, _ in await calllog.events(org.id)].count("call.ended") == 1


async def test_unknown_types_are_kept_and_left_alone(calllog: CallLog) -> None:
    org = await calllog.organization()
    envelope = {"type": "voice_removed", "event_timestamp": 1, "data": {"voice": "v1"}}
    assert await calllog.deliver(org, envelope) is False
    assert await calllog.deliver(org, envelope) is True
    assert await calllog.jobs(org.id) == []
    kept = "select e.event_type, e.body from envelope e where e.org_id = $1"
    (row,) = await calllog.database.system_fetch(kept, org.id)
    assert json.loads(row["body"]) == envelope


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"type":"post_call_transcription"}',
        b'{"type":"post_call_transcription","data":{}}',
        b'{"type":"post_call_transcription","data":{"conversation_id":7}}',
        b'{"type":5,"data":{}}',
        b'{"data":{"conversation_id":"c"}}',
        b'{"type":"post_call_transcription","data":{"conversation_id":NaN}}',
        b'\xff{"type":"x","data":{}}',
        b"[" * 100_000,
    ],
)
async def test_signed_but_unreadable_is_refused(calllog: CallLog, body: bytes) -> None:
    org = await calllog.organization()
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        await calllog.deliver(org, body)


async def test_forged_stale_and_foreign_deliveries_leave_nothing(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization()
    body = json.dumps(transcription(conversation)).encode()
    forged = [
        ("", Unauthenticated), ("t=1,v0=00", Unauthenticated), (sign(body, "another"), Unauthenticated),
        (sign(body, at=time.time() - 1_900), Unauthenticated), (sign(body, at=time.time() + 1_900), Unauthenticated),
        (sign(body + b" "), Unauthenticated),
    ]  # fmt: skip
    for signature, refusal in forged:
        with pytest.raises(refusal, match="webhook_signature_invalid"):
            await calllog.deliver(org, body, signature)
    with pytest.raises(NotFound, match="webhook_unknown"):
        await calllog.deliver(Organization(org.id, "no one"), body)
    kept = "select count(*) from envelope e where e.org_id = $1"
    assert await calllog.database.system_fetchval(kept, org.id) == 0


async def test_one_flipped_bit_is_refused(calllog: CallLog, conversation: str) -> None:
    org, chance = await calllog.organization(), random.Random(5)
    body = json.dumps(transcription(conversation)).encode()
    signature = sign(body)
    for _ in range(40):
        flipped = bytearray(body)
        flipped[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        with pytest.raises(Unauthenticated):
            await calllog.deliver(org, bytes(flipped), signature)
        place = chance.randrange(len(signature))
        forged = signature[:place] + chr(ord(signature[place]) ^ 1) + signature[place + 1 :]
        with pytest.raises(Unauthenticated):
            await calllog.deliver(org, body, forged)
    assert await calllog.deliver(org, body, signature) is False


async def test_without_a_secret_nothing_is_taken(calllog: CallLog, conversation: str) -> None:
    org = new_id("org")
    with as_org(org):
        put = agent_pb2.PutIntegrationRequest(
            provider="elevenlabs", credentials=agent_pb2.ProviderCredentials(api_key="sk_test")
        )
        token = (await calllog.integrations.PutIntegration(put, None)).integration.webhook_token
    with pytest.raises(Unavailable, match="webhook_secret_unset"):
        await calllog.deliver(Organization(org, token), transcription(conversation))


async def test_customers_may_not_call_the_inner_doors(calllog: CallLog) -> None:
    with as_org(new_id("org")):
        with pytest.raises(PermissionDenied):
            await calllog.servicer.ReceiveProviderWebhook(calllog_pb2.ReceiveProviderWebhookRequest(), None)
        with pytest.raises(PermissionDenied):
            await calllog.servicer.ListBillableCalls(calllog_pb2.ListBillableCallsRequest(), None)


async def test_a_thousand_replays_have_one_effect(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    body = json.dumps(transcription(conversation)).encode()
    signature, results = sign(body), []
    for _ in range(10):
        results += await asyncio.gather(*(calllog.deliver(org, body, signature) for _ in range(100)))
    assert results.count(False) == 1
    await calllog.settled(org.id)
    assert (await calllog.list(org.id)).page_info.total == 1
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended"]


async def test_hostile_fields_lose_nothing(calllog: CallLog, conversation: str) -> None:
    """NUL, lone surrogates, absurd numbers and wrong types become unknown or storable."""
    org = await calllog.organization()
    body = json.dumps(
        {
            "type": "post_call_transcription",
            "event_timestamp": "soon",
            "data": {
                "conversation_id": conversation,
                "agent_id": 12,
                "status": "done",
                "transcript": [
                    {"role": "user", "message": "nul \x00 and \ud800 half", "time_in_call_secs": -3},
                    "no turn",
                    {"role": "agent", "message": None, "tool_calls": [{"params_as_json": "{broken", "tool_name": 3}]},
                ],
                "metadata": {"start_time_unix_secs": 10**30, "call_duration_secs": 10**400, "cost": 2**70},
                "analysis": [],
            },
        }
    ).encode()
    await calllog.deliver(org, body)
    call = await calllog.call_of(org.id, conversation)
    assert [turn.text for turn in call.transcript] == ["nul \ufffd and \ufffd\ufffd\ufffd half", ""]
    assert not call.HasField("duration_seconds")
    assert not call.HasField("provider_cost_units")
    assert call.HasField("end_time")
    ((_, data),) = await calllog.events(org.id)
    assert data["billable"] is False


async def test_while_the_agent_service_is_away_the_envelope_waits(
    calllog: CallLog, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call never loses its agent because the agent service was away; a job makes it later."""
    org = await calllog.organization(AGENT)
    ingest = calllog.handlers.kinds["call.ingest"][1].__self__
    present, asked = ingest.reported.resolve, calllog.senders.served_by

    async def away(*_: object) -> ServedBy:
        raise Unavailable("unavailable", "away")

    object.__setattr__(ingest.reported, "resolve", away)
    monkeypatch.setattr(calllog.senders, "served_by", away)
    try:
        assert await calllog.deliver(org, transcription(conversation)) is False

        async def tried() -> bool:
            return any(job["attempt"] >= 1 for job in await calllog.jobs(org.id))

        await eventually(tried)
        assert (await calllog.list(org.id)).page_info.total == 0
    finally:
        object.__setattr__(ingest.reported, "resolve", present)
        monkeypatch.setattr(calllog.senders, "served_by", asked)
    assert (await calllog.call_of(org.id, conversation)).agent_version == 1


async def test_refusals_are_apperrors(calllog: CallLog) -> None:
    with as_service(), pytest.raises(AppError):
        await calllog.servicer.ReceiveProviderWebhook(
            calllog_pb2.ReceiveProviderWebhookRequest(provider="no one", webhook_token="x", body=b"{}"), None
        )


async def test_a_call_at_retell_is_told_three_times_and_is_one_call(calllog: CallLog) -> None:
    org, call_id = new_id("org"), new_id("rt")
    with as_org(org):
        put = agent_pb2.PutIntegrationRequest(
            provider="retell", credentials=agent_pb2.ProviderCredentials(api_key="key_retell")
        )
        token = (await calllog.integrations.PutIntegration(put, None)).integration.webhook_token
    sample = json.loads((SAMPLES.parent / "retell" / "call_analyzed.json").read_text())
    for event, changes in (
        ("call_started", {"call_status": "ongoing", "end_timestamp": None, "call_analysis": None}),
        ("call_ended", {"call_analysis": None}),
        ("call_analyzed", {}),
        ("call_analyzed", {}),
    ):
        body = json.dumps({"event": event, "call": {**sample["call"], **changes, "call_id": call_id}}).encode()
        stamp = str(int(time.time() * 1_000))
        digest = hmac.new(b"key_retell", body + stamp.encode(), hashlib.sha256).hexdigest()
        request = calllog_pb2.ReceiveProviderWebhookRequest(
            provider="retell",
            webhook_token=token,
            body=body,
            proof_headers={"x-retell-signature": f"v={stamp},d={digest}"},
        )
        with as_service():
            await calllog.servicer.ReceiveProviderWebhook(request, None)
        await calllog.settled(org)
    call = await calllog.call_of(org, call_id)
    assert (call.provider, call.duration_seconds, call.version) == ("retell", 25, 3)
    assert "opening hours" in call.summary
    assert (await calllog.list(org, search="observatory")).page_info.total == 1
    events = await calllog.events(org)
    assert [topic for topic, _ in events] == ["call.started", "call.ended", "call.updated"]
    assert [data["billable"] for _, data in events] == [False, True, True]

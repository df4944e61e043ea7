"""Calls told while they run: turns in order and once, commands, the end, and a party that goes away."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from echosenseix.calllog.v1 import calllog_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.rpc.times import to_timestamp

from .conftest import CallLog, Organization, as_org, eventually, transcription

AGENT = "agent_live"
# Each type of command, and an argument that it takes.
_WITH_FIELDS = {"transfer": "to", "inject_context": "context", "end_call": "reason"}


@pytest.fixture
def org() -> str:
    return new_id("org")


async def begin(calllog: CallLog, org: str, **sent: Any) -> pb.Call:
    request = pb.BeginCallRequest(**{"external_call_id": "c-1", **sent})
    with as_org(org) as call:
        call.on_behalf_of = calllog.proof(org)
        return (await calllog.live_servicer.BeginCall(request, None)).call


async def tell(calllog: CallLog, org: str, call_id: str, *texts: str, start: int = 0) -> pb.AppendTurnsResponse:
    turns = [pb.LiveTurn(index=start + n, role=pb.SPEAKER_USER, text=text) for n, text in enumerate(texts)]
    with as_org(org):
        return await calllog.live_servicer.AppendTurns(pb.AppendTurnsRequest(call_id=call_id, turns=turns), None)


async def end(calllog: CallLog, org: str, call_id: str, **how: Any) -> pb.Call:
    with as_org(org):
        return (await calllog.live_servicer.EndCall(pb.EndCallRequest(call_id=call_id, **how), None)).call


async def command(calllog: CallLog, org: str, call_id: str, **sent: Any) -> pb.CallCommand:
    request = pb.CreateCallCommandRequest(**{"call_id": call_id, "type": "end_call", **sent})
    with as_org(org):
        return (await calllog.live_servicer.CreateCallCommand(request, None)).command


async def acknowledge(calllog: CallLog, org: str, given: pb.CallCommand, status: str = "acknowledged") -> str:
    request = pb.AcknowledgeCallCommandRequest(call_id=given.call_id, id=given.id, status=status)
    with as_org(org):
        return str((await calllog.live_servicer.AcknowledgeCallCommand(request, None)).command.status)


async def topics(calllog: CallLog, org: str) -> list[str]:
    return [topic for topic, _ in await calllog.events(org)]


async def test_a_call_is_told_from_its_beginning_to_its_end(calllog: CallLog, org: str) -> None:
    started = datetime.now(UTC) - timedelta(seconds=120)
    call = await begin(calllog, org, direction=pb.CALL_DIRECTION_INBOUND, start_time=to_timestamp(started))
    assert (call.status, call.provider, call.turn_count) == (pb.CALL_STATUS_IN_PROGRESS, "custom", 0)
    told = await tell(calllog, org, call.id, "Hello", "Where is it?")
    assert (told.accepted, told.duplicates, told.next_index) == (2, 0, 2)
    running = (await calllog.list(org, status=pb.CALL_STATUS_IN_PROGRESS)).calls
    assert [(row.id, row.turn_count) for row in running] == [(call.id, 2)]
    ended = await end(calllog, org, call.id, summary="A parcel.")
    assert ended.status == pb.CALL_STATUS_COMPLETED
    assert 119 < ended.duration_seconds < 180
    assert [turn.text for turn in (await calllog.get(org, call.id)).transcript] == ["Hello", "Where is it?"]
    assert await topics(calllog, org) == ["call.started", "call.turn", "call.turn", "call.ended"]
    spoken = [data["text"] for topic, data in await calllog.events(org) if topic == "call.turn"]
    assert spoken == ["Hello", "Where is it?"]
    found = (await calllog.list(org, search="parcel")).calls
    assert [row.id for row in found] == [call.id]


async def test_a_call_begun_twice_is_one_call(calllog: CallLog, org: str) -> None:
    first = await begin(calllog, org)
    second, third = await asyncio.gather(begin(calllog, org), begin(calllog, org, from_number="+1"))
    assert {first.id, second.id, third.id} == {first.id}
    assert (await topics(calllog, org)).count("call.started") == 1


async def test_turns_sent_again_by_several_senders_in_any_order_are_stored_once_and_in_order(
    calllog: CallLog, org: str
) -> None:
    call, words, rng = await begin(calllog, org), [f"word {n}" for n in range(40)], random.Random(7)

    async def sender() -> None:
        place = 0
        while place < len(words):
            first = max(0, place - rng.randrange(4))
            batch = words[first : first + rng.randrange(1, 8)]
            await tell(calllog, org, call.id, *batch, start=first)
            place = first + len(batch)

    await asyncio.gather(*(sender() for _ in range(4)))
    stored = (await calllog.get(org, call.id)).transcript
    assert [(turn.index, turn.text) for turn in stored] == list(enumerate(words))
    spoken = [data.get("index", 0) for topic, data in await calllog.events(org) if topic == "call.turn"]
    assert spoken == list(range(40))


@pytest.mark.parametrize(
    ("texts", "start", "reason"),
    [(["other"], 0, "turn_differs"), (["late"], 3, "turn_missing")],
)
async def test_a_turn_that_does_not_follow_changes_nothing(
    calllog: CallLog, org: str, texts: list[str], start: int, reason: str
) -> None:
    call = await begin(calllog, org)
    await tell(calllog, org, call.id, "one")
    with pytest.raises(FailedPrecondition) as refused:
        await tell(calllog, org, call.id, *texts, start=start)
    assert refused.value.reason == reason
    assert [turn.text for turn in (await calllog.get(org, call.id)).transcript] == ["one"]


async def test_after_the_end_old_turns_are_duplicates_and_new_ones_are_refused(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    await tell(calllog, org, call.id, "one")
    await end(calllog, org, call.id)
    assert (await tell(calllog, org, call.id, "one")).duplicates == 1
    for act in (tell(calllog, org, call.id, "two", start=1), command(calllog, org, call.id), begin(calllog, org)):
        with pytest.raises(FailedPrecondition) as refused:
            await act
        assert refused.value.reason == "call_ended"
    again = await end(calllog, org, call.id, status=pb.CALL_STATUS_FAILED)
    assert again.status == pb.CALL_STATUS_COMPLETED
    assert (await topics(calllog, org)).count("call.ended") == 1


async def test_the_providers_report_completes_the_call_that_was_told_live(calllog: CallLog) -> None:
    customer: Organization = await calllog.organization(AGENT)
    org, conversation = customer.id, new_id("conv")
    call = await begin(calllog, org, provider="elevenlabs", external_call_id=conversation, external_agent_id=AGENT)
    assert call.agent_id
    envelope = transcription(conversation, agent_id=AGENT)
    said = [turn["message"] or "" for turn in envelope["data"]["transcript"]]
    await tell(calllog, org, call.id, *said[:2])
    await end(calllog, org, call.id)
    await calllog.deliver(customer, envelope)
    whole = await eventually(lambda: _complete(calllog, org, call.id, len(said)))
    assert [turn.text for turn in whole.transcript] == said
    assert whole.agent_id == call.agent_id
    assert whole.duration_seconds == 37
    assert [topic for topic in await topics(calllog, org) if topic != "call.turn"] == [
        "call.started", "call.ended", "call.updated",
    ]  # fmt: skip
    billable = [data.get("billable", False) for topic, data in await calllog.events(org) if topic != "call.turn"]
    assert billable == [False, False, True]
    assert await calllog.deliver(customer, envelope)
    assert len((await calllog.list(org)).calls) == 1


async def _complete(calllog: CallLog, org: str, call_id: str, turns: int) -> pb.Call | None:
    call = await calllog.get(org, call_id)
    return call if call.turn_count == turns else None


@dataclass(frozen=True)
class _Clock:
    moment: datetime

    def now(self) -> datetime:
        return self.moment


async def _look(calllog: CallLog, org: str, call_id: str, ahead: float) -> str:
    """What the watch finds so many seconds from now."""
    later = _Clock(datetime.now(UTC) + timedelta(seconds=ahead))
    async with calllog.database.transaction(org) as conn:
        return await replace(calllog.live, clock=later).check_lost(conn, org, call_id)  # type: ignore[arg-type]


async def test_a_call_whose_party_goes_away_has_failed_at_its_last_sign_of_life(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    await tell(calllog, org, call.id, "Hello")
    assert await _look(calllog, org, call.id, 200) == "live"
    assert await _look(calllog, org, call.id, 400) == "lost"
    lost = await calllog.get(org, call.id)
    assert (lost.status, lost.termination_reason) == (pb.CALL_STATUS_FAILED, "connection_lost")
    assert lost.duration_seconds < 60
    assert [turn.text for turn in lost.transcript] == ["Hello"]
    assert await _look(calllog, org, call.id, 800) == "over"
    assert (await topics(calllog, org)).count("call.ended") == 1


async def test_a_providers_call_whose_party_goes_away_waits_for_its_report(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org, provider="retell")
    assert await _look(calllog, org, call.id, 400) == "lost"
    assert (await calllog.get(org, call.id)).status == pb.CALL_STATUS_IN_PROGRESS
    with pytest.raises(FailedPrecondition) as refused:
        await command(calllog, org, call.id)
    assert refused.value.reason == "call_not_served"


async def test_one_watch_waits_for_a_live_call_and_a_sign_of_life_puts_it_off(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    for _ in range(3):
        told = await tell(calllog, org, call.id)
        assert (told.accepted, told.duplicates, told.next_index) == (0, 0, 0)
    assert [row["state"] for row in await calllog.jobs(org, "call.watch")] == ["scheduled"]
    assert await _look(calllog, org, call.id, 200) == "live"


async def test_a_command_is_published_acknowledged_once_and_readable(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    given = await command(calllog, org, call.id, type="transfer", to="+1415", reason="asked")
    assert given.status == "pending"
    with as_org(org):
        waiting = pb.ListCallCommandsRequest(call_id=call.id, status="pending")
        listed = (await calllog.live_servicer.ListCallCommands(waiting, None)).commands
    assert [row.id for row in listed] == [given.id]
    assert [await acknowledge(calllog, org, given) for _ in range(2)] == ["acknowledged"] * 2
    with pytest.raises(FailedPrecondition) as refused:
        await acknowledge(calllog, org, given, "failed")
    assert refused.value.reason == "command_settled"
    told = [(topic, data["status"], data["to"]) for topic, data in await calllog.events(org) if "command" in topic]
    assert told == [("call.command_requested", "pending", "+1415"), ("call.command_settled", "acknowledged", "+1415")]


async def test_a_command_that_is_not_acknowledged_times_out_and_says_so(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    given = await command(calllog, org, call.id, timeout_seconds=1)

    async def settled() -> bool:
        return "call.command_settled" in await topics(calllog, org)

    await eventually(settled)
    with as_org(org):
        read = pb.GetCallCommandRequest(call_id=call.id, id=given.id)
        assert (await calllog.live_servicer.GetCallCommand(read, None)).command.status == "timed_out"
    with pytest.raises(FailedPrecondition) as refused:
        await acknowledge(calllog, org, given)
    assert refused.value.reason == "command_timed_out"


async def test_the_end_of_the_call_settles_the_commands_that_wait(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    done = await command(calllog, org, call.id, type="transfer", to="+1")
    await acknowledge(calllog, org, done)
    given = [await command(calllog, org, call.id, type=name, **{field: "x"}) for name, field in _WITH_FIELDS.items()]
    await end(calllog, org, call.id)
    with as_org(org):
        listed = (
            await calllog.live_servicer.ListCallCommands(pb.ListCallCommandsRequest(call_id=call.id), None)
        ).commands
    outcomes = {row.id: (row.status, row.detail) for row in listed}
    ended = "The call ended."
    assert outcomes == {
        done.id: ("acknowledged", ""), given[0].id: ("failed", ended), given[1].id: ("failed", ended),
        given[2].id: ("acknowledged", ended),
    }  # fmt: skip
    told = await calllog.events(org)
    settled = {data["commandId"]: (data["status"], data["detail"]) for topic, data in told if topic.endswith("settled")}
    assert settled == outcomes
    assert [topic for topic, _ in told][-4:] == ["call.command_settled"] * 3 + ["call.ended"]
    # Its party may tell the outcome of the end after the end.
    assert await acknowledge(calllog, org, given[2]) == "acknowledged"
    with pytest.raises(FailedPrecondition, match=ended) as refused:
        await acknowledge(calllog, org, given[0])
    assert refused.value.reason == "command_settled"
    assert len(await calllog.events(org)) == len(told)


async def test_a_providers_report_of_the_end_settles_the_commands_that_wait(calllog: CallLog) -> None:
    customer: Organization = await calllog.organization(AGENT)
    org, conversation = customer.id, new_id("conv")
    call = await begin(calllog, org, provider="elevenlabs", external_call_id=conversation, external_agent_id=AGENT)
    given = await command(calllog, org, call.id, type="transfer", to="+1", timeout_seconds=300)
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT))

    async def settled() -> bool:
        with as_org(org):
            read = pb.GetCallCommandRequest(call_id=call.id, id=given.id)
            return (await calllog.live_servicer.GetCallCommand(read, None)).command.status == "failed"

    await eventually(settled)
    assert [topic for topic in await topics(calllog, org) if topic.endswith(("settled", "ended"))] == [
        "call.command_settled", "call.ended",
    ]  # fmt: skip


async def test_a_call_takes_at_most_twenty_commands_that_wait(calllog: CallLog, org: str) -> None:
    call, other = await begin(calllog, org), await begin(calllog, org, external_call_id="c-2")
    for _ in range(20):
        await command(calllog, org, call.id, timeout_seconds=300)
    with pytest.raises(FailedPrecondition) as refused:
        await command(calllog, org, call.id)
    assert refused.value.reason == "quota_reached"
    assert (await command(calllog, org, other.id)).status == "pending"


async def test_another_organizations_call_and_command_are_as_absent(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    given, stranger = await command(calllog, org, call.id), new_id("org")
    for act in (
        tell(calllog, stranger, call.id, "x"), end(calllog, stranger, call.id), command(calllog, stranger, call.id),
        acknowledge(calllog, stranger, given),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await act
    assert (await calllog.get(org, call.id)).turn_count == 0


async def test_reading_does_not_entitle_to_tell_or_to_command(calllog: CallLog, org: str) -> None:
    call = await begin(calllog, org)
    requests = (
        ("BeginCall", pb.BeginCallRequest(external_call_id="x")),
        ("AppendTurns", pb.AppendTurnsRequest(call_id=call.id)),
        ("EndCall", pb.EndCallRequest(call_id=call.id)),
        ("CreateCallCommand", pb.CreateCallCommandRequest(call_id=call.id, type="end_call")),
        ("AcknowledgeCallCommand", pb.AcknowledgeCallCommandRequest(call_id=call.id, id=new_id("cmd"))),
    )  # fmt: skip
    for name, request in requests:
        with as_org(org, scopes=("calls:read",)), pytest.raises(PermissionDenied):
            await getattr(calllog.live_servicer, name)(request, None)


@pytest.mark.parametrize(
    "sent",
    [{"external_call_id": " "}, {"provider": "unknown"}, {"agent_id": "agt_x"}],
)
async def test_a_beginning_that_cannot_be_is_refused(calllog: CallLog, org: str, sent: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await begin(calllog, org, **sent)
    assert refused.value.reason == "validation_failed"
    assert await topics(calllog, org) == []

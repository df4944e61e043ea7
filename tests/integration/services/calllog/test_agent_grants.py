"""A caller that is limited to some agents: its calls in lists, searches, counts and figures, live ones and commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2 as pb
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Grants, Principal
from libs.rpc.times import to_timestamp

from .conftest import CallLog, as_org
from .test_live_calls import begin, command, end, tell

SCOPES = frozenset({"calls:read", "calls:write"})


@contextmanager
def limited(org: str, *readable: str, write: tuple[str, ...] = ()) -> Iterator[CallContext]:
    grants = Grants(frozenset((*readable, *write)), frozenset(write))
    who = Principal(org, "usr_2", "ses_2", "", "member", SCOPES, "gateway", grants=grants)
    with serving(CallContext(), who) as call:
        yield call


class Desk:
    """An organization with two agents, each of which served two calls that ended and has one that runs; and a call of
    no agent."""

    def __init__(self, org: str, mine: str, other: str) -> None:
        self.org, self.mine, self.other = org, mine, other
        self.calls: dict[str, list[str]] = {}
        self.running: dict[str, str] = {}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(calllog: CallLog) -> Desk:
    org = new_id("org")
    with as_org(org):
        made = [
            (await calllog.agents.CreateAgent(
                agent_pb2.CreateAgentRequest(agent=agent_pb2.Agent(display_name="Desk")), None
            )).agent.id
            for _ in range(2)
        ]  # fmt: skip
    desk = Desk(org, *made)
    for agent in (*made, ""):
        ids = []
        for number in range(3):
            sent = {"external_call_id": f"{agent}-{number}", **({"agent_id": agent} if agent else {})}
            call = await begin(calllog, org, **sent)
            await tell(calllog, org, call.id, "a parcel")
            ids.append(call.id)
        for call_id in ids[:2]:
            await end(calllog, org, call_id, summary="A parcel.")
        desk.calls[agent], desk.running[agent] = ids, ids[2]
    return desk


async def listed(calllog: CallLog, **wanted: Any) -> tuple[list[str], int]:
    answer = await calllog.servicer.ListCalls(pb.ListCallsRequest(**wanted), None)
    return sorted(call.id for call in answer.calls), answer.page_info.total


async def test_lists_searches_and_totals_are_of_the_granted_agents_alone(calllog: CallLog, desk: Desk) -> None:
    mine = sorted(desk.calls[desk.mine])
    with as_org(desk.org):
        assert (await listed(calllog))[1] == 9
    with limited(desk.org, desk.mine):
        assert await listed(calllog) == (mine, 3)
        assert await listed(calllog, search="parcel") == (sorted(desk.calls[desk.mine][:2]), 2)
        assert await listed(calllog, agent_id=desk.other) == ([], 0)
        assert await listed(calllog, external_call_id=f"{desk.other}-0") == ([], 0)
    with limited(desk.org):
        assert await listed(calllog) == ([], 0)


async def test_calls_of_other_agents_and_of_none_cannot_be_told_from_none(calllog: CallLog, desk: Desk) -> None:
    servicer, live = calllog.servicer, calllog.live_servicer
    theirs = await command(calllog, desk.org, desk.running[desk.other])
    for call_id in (desk.running[desk.other], desk.running[""], new_id("call")):
        with limited(desk.org, write=(desk.mine,)):
            mask = FieldMask(paths=["tags"])
            for refused in (
                servicer.GetCall(pb.GetCallRequest(id=call_id), None),
                servicer.UpdateCall(pb.UpdateCallRequest(call=pb.Call(id=call_id), update_mask=mask), None),
                servicer.GetTranscription(pb.GetTranscriptionRequest(call_id=call_id), None),
                anext(servicer.DownloadRecording(pb.DownloadRecordingRequest(call_id=call_id), None)),
                live.AppendTurns(pb.AppendTurnsRequest(call_id=call_id), None),
                live.EndCall(pb.EndCallRequest(call_id=call_id), None),
                live.CreateCallCommand(pb.CreateCallCommandRequest(call_id=call_id, type="end_call"), None),
                live.ListCallCommands(pb.ListCallCommandsRequest(call_id=call_id), None),
                live.GetCallCommand(pb.GetCallCommandRequest(call_id=call_id, id=theirs.id), None),
                live.AcknowledgeCallCommand(
                    pb.AcknowledgeCallCommandRequest(call_id=call_id, id=theirs.id, status="acknowledged"), None
                ),
            ):
                with pytest.raises(NotFound, match="call_not_found"):
                    await refused
    with as_org(desk.org):
        kept = await live.GetCallCommand(pb.GetCallCommandRequest(call_id=theirs.call_id, id=theirs.id), None)
    assert kept.command.status == "pending"


async def test_a_grant_to_read_changes_no_call_and_one_to_write_does(calllog: CallLog, desk: Desk) -> None:
    call_id, live = desk.running[desk.mine], calllog.live_servicer
    tags = pb.UpdateCallRequest(call=pb.Call(id=call_id, tags=["vip"]), update_mask=FieldMask(paths=["tags"]))
    with limited(desk.org, desk.mine):
        assert (await calllog.servicer.GetCall(pb.GetCallRequest(id=call_id), None)).call.id == call_id
        for refused in (
            calllog.servicer.UpdateCall(tags, None),
            live.AppendTurns(pb.AppendTurnsRequest(call_id=call_id), None),
            live.EndCall(pb.EndCallRequest(call_id=call_id), None),
            live.CreateCallCommand(pb.CreateCallCommandRequest(call_id=call_id, type="end_call"), None),
        ):
            with pytest.raises(PermissionDenied, match="read_only_grant"):
                await refused
    with limited(desk.org, write=(desk.mine,)):
        assert list((await calllog.servicer.UpdateCall(tags, None)).call.tags) == ["vip"]
        asked = await live.CreateCallCommand(pb.CreateCallCommandRequest(call_id=call_id, type="end_call"), None)
        found = await live.ListCallCommands(pb.ListCallCommandsRequest(call_id=call_id), None)
        assert [one.id for one in found.commands] == [asked.command.id]


async def test_only_calls_of_an_agent_that_may_be_changed_are_begun(calllog: CallLog, desk: Desk) -> None:
    async def start(agent: str, call_id: str, *readable: str, write: tuple[str, ...] = ()) -> pb.Call:
        with limited(desk.org, *readable, write=write) as call:
            call.on_behalf_of = calllog.proof(desk.org)
            request = pb.BeginCallRequest(agent_id=agent, external_call_id=call_id)
            return (await calllog.live_servicer.BeginCall(request, None)).call

    begun = await start(desk.mine, "new", write=(desk.mine,))
    assert begun.agent_id == desk.mine
    for agent in (desk.other, "", new_id("agt")):
        with pytest.raises(InvalidArgument) as refused:
            await start(agent, "newer", write=(desk.mine,))
        assert [found.code for found in refused.value.violations] == ["not_found"]
    with pytest.raises(PermissionDenied, match="read_only_grant"):
        await start(desk.mine, "newer", desk.mine)
    with as_org(desk.org):
        assert await listed(calllog, external_call_id="newer") == ([], 0)
    await end(calllog, desk.org, begun.id)


@pytest.mark.parametrize("number", [0, 2])
async def test_a_call_of_another_agent_or_of_none_is_not_begun_again_under_a_granted_one(
    calllog: CallLog, desk: Desk, number: int
) -> None:
    """Neither one that runs nor one that ended: both answers are those of no call, and nothing is written."""
    for agent in (desk.other, ""):
        with as_org(desk.org):
            wanted = pb.GetCallRequest(id=desk.calls[agent][number])
            before = (await calllog.servicer.GetCall(wanted, None)).call
        with limited(desk.org, write=(desk.mine,)) as call:
            call.on_behalf_of = calllog.proof(desk.org)
            request = pb.BeginCallRequest(agent_id=desk.mine, external_call_id=f"{agent}-{number}")
            with pytest.raises(NotFound, match="call_not_found"):
                await calllog.live_servicer.BeginCall(request, None)
        with as_org(desk.org):
            assert (await calllog.servicer.GetCall(wanted, None)).call == before


async def test_figures_count_calls_of_granted_agents_alone(calllog: CallLog, desk: Desk) -> None:
    now = datetime.now(UTC)
    window = {"from_time": to_timestamp(now - timedelta(hours=1)), "to_time": to_timestamp(now + timedelta(hours=1))}

    async def total(**wanted: Any) -> int:
        request = pb.GetOrganizationAnalyticsRequest(**wanted)
        return (await calllog.servicer.GetOrganizationAnalytics(request, None)).total_calls

    async def series(agent_id: str = "") -> int:
        request = pb.GetAnalyticsTimeseriesRequest(interval="hour", agent_id=agent_id, **window)
        answer = await calllog.servicer.GetAnalyticsTimeseries(request, None)
        return sum(bucket.calls for bucket in answer.buckets)

    while await calllog.aggregation.fold():
        pass
    with limited(desk.org, desk.mine):
        mine = len((await listed(calllog))[0])
        assert (await total(), await total(**window), await series()) == (mine, mine, mine)
        assert await series(desk.other) == 0
    with limited(desk.org):
        assert (await total(), await total(**window), await series()) == (0, 0, 0)

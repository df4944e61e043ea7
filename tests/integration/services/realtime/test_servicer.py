"""RealtimeService's methods: the log after a position, and who listens, as one caller may know it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pytest_asyncio

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.config import load
from libs.errors import AppError, InvalidArgument, OutOfRange, PermissionDenied
from libs.keys import MacKeys
from libs.paging import CursorCodec
from services.realtime.config import RealtimeSettings
from services.realtime.servicer import RealtimeServicer
from services.realtime.storage.event_log import EventLog
from services.realtime.storage.mailbox import Mailbox
from tests.integration.services.realtime.driving import Realtime, emit_and_sweep
from tests.integration.services.realtime.hooks import caller
from tests.integration.services.realtime.talking import talking


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servicer(realtime: Realtime, service_environment: Callable[[str, str], dict[str, str]]) -> RealtimeServicer:
    settings = load(RealtimeSettings, service_environment("realtime", "unused"))
    mailbox = Mailbox(realtime.database, CursorCodec(MacKeys.from_settings(settings.cursor_key)))
    return RealtimeServicer(settings, EventLog(realtime.database), mailbox, realtime.tokens, realtime.doors.presence)


async def positions(servicer: RealtimeServicer, org_id: str, after: str, *types: str, limit: int = 0) -> list[int]:
    with caller(org_id):
        answer = await servicer.ListEvents(pb.ListEventsRequest(after=after, types=types, limit=limit), None)
    return [event.position for event in answer.events]


async def test_the_log_is_read_after_a_position_or_an_event(realtime: Realtime, servicer: RealtimeServicer) -> None:
    ids = [await realtime.emit("org_log", call_id=f"call_{number}") for number in range(3)]
    await realtime.emit("org_log", topic="agent.created")
    assert await positions(servicer, "org_log", "") == [1, 2, 3, 4]
    assert await positions(servicer, "org_log", "2") == [3, 4]
    assert await positions(servicer, "org_log", ids[1]) == [3, 4]
    assert await positions(servicer, "org_log", "4") == []
    assert await positions(servicer, "org_log", "", "agent.*") == [4]
    assert await positions(servicer, "org_log", "0", limit=2) == [1, 2]


async def test_another_organizations_event_is_as_unknown_as_one_that_is_gone(
    realtime: Realtime, servicer: RealtimeServicer
) -> None:
    theirs = await realtime.emit("org_log_b")
    (gone, _) = await emit_and_sweep(realtime, "org_log_c", 2)
    said = set()
    for named in (theirs, gone, theirs[:-4] + "0000"):
        with pytest.raises(InvalidArgument) as refusal:
            await positions(servicer, "org_log_c", named)
        said.add((refusal.value.reason, str(refusal.value)))
    assert len(said) == 1


async def test_a_position_older_than_the_log_is_refused_and_the_oldest_can_be_asked_for(
    realtime: Realtime, servicer: RealtimeServicer
) -> None:
    await emit_and_sweep(realtime, "org_log_d", 3)
    for after in ("1", "2"):
        with pytest.raises(OutOfRange, match="position_expired"):
            await positions(servicer, "org_log_d", after)
    assert await positions(servicer, "org_log_d", "3") == []
    await realtime.emit("org_log_d")
    assert await positions(servicer, "org_log_d", "") == await positions(servicer, "org_log_d", "3") == [4]
    with pytest.raises(OutOfRange, match="position_expired"):
        await positions(servicer, "org_log_d", "2")


async def test_a_position_ahead_of_the_log_is_refused_instead_of_waited_for(
    realtime: Realtime, servicer: RealtimeServicer
) -> None:
    await realtime.emit("org_log_e")
    assert await positions(servicer, "org_log_e", "1") == []
    for after in ("2", "9" * 18):
        with pytest.raises(OutOfRange, match="position_expired") as refused:
            await positions(servicer, "org_log_e", after)
        assert [one.pointer for one in refused.value.violations] == ["#/after"]
    with pytest.raises(InvalidArgument):
        await positions(servicer, "org_log_e", "9" * 19)
    with pytest.raises(InvalidArgument) as unknown:
        await positions(servicer, "org_log_e", "2", "call.nothing")
    assert [one.pointer for one in unknown.value.violations] == ["#/types"], "a name that no event has comes first"


async def present(servicer: RealtimeServicer, org_id: str, channel: str = "", *scopes: str) -> list[tuple[str, str]]:
    with caller(org_id, scopes=scopes or ("*",)):
        answer = await servicer.ListPresence(pb.ListPresenceRequest(channel=channel), None)
    return sorted((client.channel, client.user_id) for client in answer.clients)


async def test_who_listens_is_told_to_those_who_may_listen(realtime: Realtime, servicer: RealtimeServicer) -> None:
    calls, agents = "org:org_here:calls", "org:org_here:agents"
    async with talking(realtime, "org_here") as one, talking(realtime, "org_here", user_id="usr_2") as two:
        for talk, channel in ((one, calls), (one, "call:call_1"), (two, calls), (two, agents)):
            await talk.ask(subscribe={"channel": channel})
        assert await present(servicer, "org_here", calls) == [(calls, "usr_1"), (calls, "usr_2")]
        assert await present(servicer, "org_here", "call:call_1") == [("call:call_1", "usr_1")]
        everyone = [(agents, "usr_2"), (calls, "usr_1"), (calls, "usr_2")]
        assert await present(servicer, "org_here") == everyone
        assert await present(servicer, "org_here", "", "realtime:read", "agents:read") == everyone[:1]
        assert await present(servicer, "org_other", "call:call_1") == await present(servicer, "org_other") == []
    assert await present(servicer, "org_here", "call:never") == []


@pytest.mark.parametrize(
    ("channel", "scopes", "refusal"),
    [
        ("org:org_other:calls", ("*",), PermissionDenied),
        ("org:org_here:calls", ("realtime:read", "agents:read"), PermissionDenied),
        ("user:usr_2", ("*",), PermissionDenied),
        ("org:org_here:calls", ("calls:read",), PermissionDenied),
        ("no channel", ("*",), InvalidArgument),
        ("job:job_1", ("*",), InvalidArgument),
        ("x" * 256, ("*",), InvalidArgument),
    ],
)
async def test_a_channel_that_the_caller_may_not_hear_has_no_presence_for_it(
    servicer: RealtimeServicer, channel: str, scopes: tuple[str, ...], refusal: type[AppError]
) -> None:
    with pytest.raises(refusal):
        await present(servicer, "org_here", channel, *scopes)

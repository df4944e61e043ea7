"""A caller that is limited to some agents hears of these alone: in the log, in streams, on sockets, in history."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import jwt
import pytest

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Grants, Principal
from services.realtime.protocol.tokens import TokenInvalid
from services.realtime.servicer import RealtimeServicer
from tests.integration.services.realtime.driving import KEYS, Realtime, emit_and_sweep
from tests.integration.services.realtime.talking import code, talking
from tests.integration.services.realtime.test_servicer import servicer as servicer

MINE, OTHER = "agt_mine", "agt_other"
SCOPES = frozenset({"realtime:read", "calls:read", "agents:read", "billing:read", "members:read", "knowledge:read"})
LIMITED: dict[str, Any] = {"agents": frozenset({MINE}), "scopes": SCOPES}


async def emit_all(realtime: Realtime, org: str) -> list[str]:
    """One event of every kind that could be heard; the ids of those about the granted agent."""
    heard = []
    for agent in (MINE, OTHER, ""):
        for topic in ("call.started", "call.turn", "call.command_requested", "call.ended"):
            event = await realtime.emit(org, topic, f"call_{agent}", agentId=agent)
            heard += [event] if agent == MINE else []
        if agent:
            event = await realtime.emit(org, "agent.updated", agent, agentId=agent)
            heard += [event] if agent == MINE else []
    for topic in ("credit.low", "integration.updated", "entry.created", "user.created", "usage.recorded"):
        await realtime.emit(org, topic, "x")
    return heard


def principal(org: str, *agents: str) -> Principal:
    return Principal(
        org, "usr_1", "ses_1", "", "member", SCOPES, "gateway", grants=Grants(frozenset(agents), frozenset())
    )


async def test_the_log_shows_events_about_granted_agents_alone(realtime: Realtime, servicer: RealtimeServicer) -> None:
    heard = await emit_all(realtime, "org_granted_log")
    for agents, expected in (((MINE,), heard), ((), [])):
        with serving(CallContext(), principal("org_granted_log", *agents)):
            answer = await servicer.ListEvents(pb.ListEventsRequest(after=""), None)
            assert [event.id for event in answer.events] == expected
            named = await servicer.ListEvents(pb.ListEventsRequest(after="", types=["credit.*", "user.created"]), None)
            assert list(named.events) == []


async def test_a_request_looks_through_a_part_of_the_log_and_the_next_one_goes_on(
    realtime: Realtime, servicer: RealtimeServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = "org_granted_long"
    monkeypatch.setattr("services.realtime.servicer.realtime._LOOKED_THROUGH", 3)
    for agent in (OTHER, OTHER, OTHER, OTHER, OTHER, MINE, MINE):
        await realtime.emit(org, "call.started", agentId=agent)
    pages, after = [], ""
    with serving(CallContext(), principal(org, MINE)):
        for _ in range(3):
            answer = await servicer.ListEvents(pb.ListEventsRequest(after=after), None)
            pages.append(([event.position for event in answer.events], answer.has_more, answer.reached))
            after = str(answer.reached)
        first = await servicer.ListEvents(pb.ListEventsRequest(after="5", limit=1), None)
    assert pages == [([], True, 3), ([6], True, 6), ([7], False, 7)]
    # A full page ends at its last event.
    assert ([event.position for event in first.events], first.has_more, first.reached) == ([6], True, 0)


async def test_the_log_of_which_the_old_part_is_gone_is_looked_through_from_the_oldest_that_is_kept(
    realtime: Realtime, servicer: RealtimeServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = "org_granted_swept"
    monkeypatch.setattr("services.realtime.servicer.realtime._LOOKED_THROUGH", 1)
    await emit_and_sweep(realtime, org, 5)
    kept = await realtime.emit(org, "call.started", agentId=MINE)
    with serving(CallContext(), principal(org, MINE)):
        answer = await servicer.ListEvents(pb.ListEventsRequest(), None)
    assert ([event.id for event in answer.events], answer.has_more) == ([kept], False)


async def test_a_caller_without_any_agent_is_answered_without_a_look_at_the_log(
    realtime: Realtime, servicer: RealtimeServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await emit_all(realtime, "org_granted_none")
    monkeypatch.setattr(servicer, "_log", None)
    with serving(CallContext(), principal("org_granted_none")):
        answer = await servicer.ListEvents(pb.ListEventsRequest(), None)
    assert answer == pb.ListEventsResponse()


async def test_a_token_names_the_channels_and_the_agents_of_the_limited_caller(
    realtime: Realtime, servicer: RealtimeServicer
) -> None:
    with serving(CallContext(), principal("org_granted", MINE)):
        answer = await servicer.CreateConnectionToken(pb.CreateConnectionTokenRequest(), None)
    assert sorted(answer.channels) == ["org:org_granted:agents", "org:org_granted:calls"]
    assert realtime.tokens.verify(answer.token).agents == frozenset({MINE})
    # A release before grants knows another audience, so it refuses the token instead of opening everything.
    claims = jwt.decode(answer.token, options={"verify_signature": False})
    assert claims["aud"] == "realtime+grants"
    key = realtime.tokens._keys["k1"]
    for changes in ({"aud": "elsewhere"}, {"agents": None}, {"agents": MINE}):
        forged = jwt.encode({**claims, **changes}, key, algorithm="HS256", headers={"kid": KEYS[0].partition("=")[0]})
        with pytest.raises(TokenInvalid):
            realtime.tokens.verify(forged)


async def test_a_stream_carries_events_about_granted_agents_alone(realtime: Realtime) -> None:
    org = "org_granted_stream"
    kept = await emit_all(realtime, org)
    token = realtime.token(org, **LIMITED)
    base, seen = f"http://{realtime.doors.addresses['http']}", []
    headers = {"authorization": f"Bearer {token}", "last-event-id": "0"}
    async with (
        httpx.AsyncClient(base_url=base, timeout=10) as http,
        http.stream("GET", "/api/events/stream", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                seen.append(line)
            if len(seen) == len(kept) and len(kept) < 10:
                kept += await emit_all(realtime, org)
            if len(seen) == 10:
                break
    assert [event in line for event, line in zip(kept, seen, strict=True)] == [True] * 10


async def test_sockets_hear_of_granted_agents_live_in_recovery_and_in_history(realtime: Realtime) -> None:
    org = "org_granted_socket"
    calls = f"org:{org}:calls"
    await emit_all(realtime, org)
    async with talking(realtime, org, **LIMITED) as talk:
        asked = {"channel": calls, "recover": True, "offset": 0, "epoch": ""}
        subscribed = (await talk.ask(subscribe=asked))["subscribe"]
        recovered = [one["data"]["data"]["agentId"] for one in subscribed["publications"]]
        assert (recovered, subscribed["recovered"]) == ([MINE] * 4, True)
        for reverse in (False, True):
            history = (await talk.ask(history={"channel": calls, "limit": 100, "reverse": reverse}))["history"]
            assert [one["data"]["data"]["agentId"] for one in history["publications"]] == [MINE] * 4
        # Of another agent's call the channel may be named, as any name may, and stays silent.
        assert "error" not in await talk.ask(subscribe={"channel": f"call:call_{OTHER}"})
        await asyncio.gather(*(realtime.emit(org, "call.turn", f"call_{one}", agentId=one) for one in (OTHER, "")))
        await emit_all(realtime, org)
        await talk.until_pushes(4)
        pushed = [push["pub"]["data"]["data"] for push in talk.pushes]
        assert [data["agentId"] for data in pushed] == [MINE] * len(pushed)


async def test_channels_beyond_agents_and_their_listeners_are_refused(realtime: Realtime) -> None:
    org = "org_granted_channels"
    calls = f"org:{org}:calls"
    async with talking(realtime, org, **LIMITED) as talk, talking(realtime, org, user_id="usr_2") as other:
        for area in ("billing", "knowledge", "members", "integrations", "jobs"):
            assert code(await talk.ask(subscribe={"channel": f"org:{org}:{area}"})) == 103
        assert code(await talk.ask(subscribe={"channel": "job:job_1"})) == 103
        assert code(await talk.ask(subscribe={"channel": "user:usr_2"})) == 103
        assert "error" not in await talk.ask(subscribe={"channel": calls, "join_leave": True})
        assert "error" not in await other.ask(subscribe={"channel": calls})
        assert code(await talk.ask(presence={"channel": calls})) == 103
        assert code(await talk.ask(presence_stats={"channel": calls})) == 103
        assert talk.joins(calls) == []


async def test_the_own_channel_tells_all_that_is_about_the_user(realtime: Realtime) -> None:
    org = "org_granted_own"
    async with talking(realtime, org, **LIMITED) as talk:
        assert "error" not in await talk.ask(subscribe={"channel": "user:usr_1"})
        await realtime.emit(org, "user.updated", "usr_1", userId="usr_1")
        await talk.until_pushes(1)
        assert talk.pushes[0]["pub"]["data"]["type"] == "user.updated"

"""The unmodified SDK against the doors: what it hears, what it may not hear, and what it gets back after a loss."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from websockets.protocol import State

from libs.bus import subjects
from local.demo.listening import leave
from services.realtime.protocol import connection as connections
from tests.integration.services.realtime.driving import Heard, Realtime, until


async def test_a_call_reaches_its_organization_and_no_other(realtime: Realtime) -> None:
    ours, theirs = realtime.client("org_a"), realtime.client("org_b")
    await ours.sdk.connect()
    await theirs.sdk.connect()
    heard = await ours.subscribe("org:org_a:calls")
    call = await ours.subscribe("call:call_7")
    foreign_call = await theirs.subscribe("call:call_7")
    refused = await theirs.subscribe("org:org_a:calls")
    assert refused.unsubscribed == [103]

    event_id = await realtime.emit("org_a", call_id="call_7", durationSeconds=12)
    await until(lambda: bool(heard.publications and call.publications))
    offset, envelope = heard.publications[0]
    assert (offset, envelope["id"], envelope["type"]) == (1, event_id, "call.ended")
    assert (envelope["data"]["callId"], envelope["data"]["durationSeconds"]) == ("call_7", 12)
    await realtime.emit("org_b", call_id="call_8")
    await asyncio.sleep(0.1)
    assert heard.call_ids == ["call_7"]
    assert foreign_call.publications == []
    await leave(ours.sdk)
    await leave(theirs.sdk)


async def test_a_client_that_leaves_returns_when_its_connection_is_closed(realtime: Realtime) -> None:
    client = realtime.client("org_a")
    await client.sdk.connect()
    await client.subscribe("org:org_a:calls")
    connection = client.sdk._conn
    assert connection is not None
    await leave(client.sdk)
    assert connection.state is State.CLOSED
    assert not client.sdk._background_tasks


async def test_recovery_after_a_forced_drop_brings_exactly_what_was_missed_in_order(realtime: Realtime) -> None:
    client = realtime.client("org_r")
    await client.sdk.connect()
    heard = await client.subscribe("org:org_r:calls")
    await realtime.emit("org_r", call_id="call_0")
    await until(lambda: len(heard.publications) == 1)

    for socket in list(realtime.doors.sockets.sockets):
        socket.abort()
    for number in range(1, 11):
        await realtime.emit("org_r", call_id=f"call_{number}")
    await until(lambda: len(heard.publications) >= 11)
    await realtime.emit("org_r", call_id="call_11")
    await until(lambda: len(heard.publications) >= 12)
    assert heard.call_ids == [f"call_{number}" for number in range(12)]
    assert [offset for offset, _ in heard.publications] == list(range(1, 13))
    assert heard.subscribed[-1].recovered
    await leave(client.sdk)


async def test_what_the_bus_loses_is_read_from_the_log(realtime: Realtime) -> None:
    client = realtime.client("org_l")
    await client.sdk.connect()
    heard = await client.subscribe("org:org_l:calls")
    await realtime.emit("org_l", call_id="call_0")
    await until(lambda: len(heard.publications) == 1)

    # The instance hears neither: once a later one shows the gap, once only the position check can.
    await realtime.emit_unheard("org_l", call_id="call_1")
    await realtime.emit("org_l", call_id="call_2")
    await until(lambda: len(heard.publications) == 3)
    await realtime.emit_unheard("org_l", call_id="call_3")
    await realtime.doors.hub.check_positions()
    await until(lambda: len(heard.publications) == 4)
    assert heard.call_ids == ["call_0", "call_1", "call_2", "call_3"]
    await leave(client.sdk)


async def test_subscribing_while_events_are_written_neither_loses_nor_doubles(realtime: Realtime) -> None:
    everyone_listens = asyncio.Event()

    async def write() -> int:
        """Events until everyone listens, and a few more; how many."""
        written = after = 0
        while after < 20:
            await realtime.emit("org_w", call_id=f"call_{written}")
            written, after = written + 1, after + everyone_listens.is_set()
        return written

    writing = asyncio.create_task(write())

    def heard_all(heard: Heard) -> bool:
        return bool(heard.publications) and heard.publications[-1][0] == total

    clients = []
    for _ in range(5):
        client = realtime.client("org_w")
        await client.sdk.connect()
        clients.append((client, await client.subscribe("org:org_w:calls")))
        await asyncio.sleep(0.05)
    everyone_listens.set()
    total = await writing
    for client, heard in clients:
        await until(partial(heard_all, heard))
        offsets = [offset for offset, _ in heard.publications]
        assert offsets == list(range(offsets[0], total + 1))
        await leave(client.sdk)


async def test_an_expired_token_is_refreshed_and_a_forged_one_ends_it(realtime: Realtime) -> None:
    late = realtime.client("org_a", seconds=-1)
    await late.sdk.connect()
    await late.sdk.ready(timeout=5)
    await leave(late.sdk)

    forged = realtime.client("org_a")
    forged.sdk.set_token(realtime.token("org_a")[:-3] + "AAA")
    await forged.sdk.connect()
    await until(lambda: forged.disconnects == [3500])


async def test_scopes_bound_the_channels(realtime: Realtime) -> None:
    client = realtime.client("org_a", scopes=frozenset({"agents:read"}))
    await client.sdk.connect()
    assert (await client.subscribe("org:org_a:calls")).unsubscribed == [103]
    assert (await client.subscribe("org:org_a:agents")).unsubscribed == []
    assert (await client.subscribe("bad channel")).unsubscribed == [107]
    await leave(client.sdk)


async def test_a_revoked_session_loses_its_sockets_within_a_second(realtime: Realtime) -> None:
    client, other = realtime.client("org_v", session_id="ses_gone"), realtime.client("org_v", session_id="ses_stays")
    await client.sdk.connect()
    await other.sdk.connect()
    await client.sdk.ready()
    await other.sdk.ready()
    await realtime.emit("org_v", topic="session.revoked", sessionId="ses_gone", userId="usr_1")
    await until(lambda: client.disconnects == [3503], seconds=1.0)
    assert other.disconnects == []
    await leave(other.sdk)


async def test_a_token_of_a_revoked_session_opens_nothing_again(realtime: Realtime) -> None:
    client = realtime.client("org_w", session_id="ses_gone")
    await client.sdk.connect()
    await client.sdk.ready()
    await realtime.emit("org_w", topic="session.revoked", sessionId="ses_gone", userId="usr_1")
    await until(lambda: client.disconnects == [3503], seconds=1.0)
    again = realtime.client("org_w", session_id="ses_gone")
    await again.sdk.connect()
    await until(lambda: again.disconnects == [3500], seconds=2.0)
    namesake = realtime.client("org_x", session_id="ses_gone")
    await namesake.sdk.connect()
    await namesake.sdk.ready()
    await leave(namesake.sdk)


async def test_a_jobs_progress_passes_by(realtime: Realtime) -> None:
    client = realtime.client("org_j")
    await client.sdk.connect()
    heard = await client.subscribe("job:job_knowledge_1")
    word = b'{"jobId":"job_knowledge_1","kind":"document.process","state":"running","progress":40}'
    await realtime.bus.publish_core(subjects.jobs_progress("org_j", "job_knowledge_1"), word)
    await until(lambda: bool(heard.publications))
    _, envelope = heard.publications[0]
    assert (envelope["type"], envelope["data"]["progress"]) == ("job.progressed", 40)
    await leave(client.sdk)


@pytest.mark.parametrize(
    "frame",
    [
        b"not json",
        b"",
        b"{}\n\n{}",
        b'{"id":1,"subscribe":{"channel":"x"}}',
        b"{}",
        b'{"id":1,"connect":{}}',
        b"\xff\xfe",
    ],
)
async def test_a_broken_conversation_ends_with_a_code(realtime: Realtime, frame: bytes) -> None:
    assert await realtime.raw([frame]) == 3501


async def test_a_message_too_big_and_a_second_connect(realtime: Realtime) -> None:
    connect = b'{"id":1,"connect":{"token":"%b"}}' % realtime.token("org_a").encode()
    assert await realtime.raw([connect, b'{"id":2,"rpc":"' + b"x" * 70_000 + b'"}']) == 1009
    assert await realtime.raw([connect, connect]) == 3501


async def test_a_client_that_answers_no_ping_is_closed(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 1)
    monkeypatch.setattr(connections, "PONG_SECONDS", 0.1)
    connect = b'{"id":1,"connect":{"token":"%b"}}' % realtime.token("org_a").encode()
    assert await realtime.raw([connect]) == 3012


async def test_a_subscribe_storm_on_one_connection_stops_at_its_limit(realtime: Realtime) -> None:
    client = realtime.client("org_many")
    await client.sdk.connect()
    for number in range(128):
        assert (await client.subscribe(f"call:call_{number}")).unsubscribed == []
    assert (await client.subscribe("call:one_more")).unsubscribed == [106]
    await leave(client.sdk)
    await until(lambda: realtime.doors.hub.channel_count == 0)


async def test_a_revocation_that_the_bus_lost_is_read_from_the_log(realtime: Realtime) -> None:
    client = realtime.client("org_u", session_id="ses_unheard")
    await client.sdk.connect()
    await client.sdk.ready()
    await realtime.emit_unheard("org_u", topic="session.revoked", sessionId="ses_unheard", userId="usr_1")
    stop = asyncio.Event()
    watching = asyncio.create_task(realtime.doors.watch(stop))
    await until(lambda: client.disconnects == [3503])
    stop.set()
    await watching

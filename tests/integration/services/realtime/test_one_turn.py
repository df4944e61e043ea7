"""What a connection costs: commands are answered together, a channel that is heard here needs no read of the log, and
an event is decoded and encoded once however many hear it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import websockets

from libs.bus import Bus
from libs.events import ReceivedEvent
from services.realtime.protocol import messages
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.websocket import Socket
from services.realtime.storage.event_log import EventLog
from services.realtime.subscribers import Subscribers
from tests.integration.services.realtime.driving import Realtime, _event, until
from tests.integration.services.realtime.talking import code, talking


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The channels whose log is read, in their order."""
    read: list[str] = []
    head = EventLog._head

    async def counted(log: EventLog, org_id: str, channel: str) -> tuple[str, int]:
        read.append(channel)
        return await head(log, org_id, channel)

    monkeypatch.setattr(EventLog, "_head", counted)
    return read


async def test_who_joins_listeners_needs_no_read_of_the_log(realtime: Realtime, heads: list[str]) -> None:
    channel = "org:org_joins:calls"
    await realtime.emit("org_joins")
    async with contextlib.AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(realtime, "org_joins")) for _ in range(6)]
        results = [(await talk.ask(subscribe={"channel": channel}))["subscribe"] for talk in talks]
        assert heads == [channel]
        assert [result["offset"] for result in results] == [1] * 6
        assert len({result["epoch"] for result in results}) == 1
        await realtime.emit("org_joins", call_id="call_2")
        for talk in talks:
            await talk.until_pushes(1)
        assert [push["pub"]["offset"] for talk in talks for push in talk.pushes] == [2] * 6
        # Each of them got it from a channel that stands at 2 now.
        late = await stack.enter_async_context(talking(realtime, "org_joins"))
        again = {"channel": channel, "recover": True, "epoch": results[0]["epoch"], "offset": 2}
        found = (await late.ask(subscribe=again))["subscribe"]
        assert (found["recovered"], found["offset"], found.get("publications")) == (True, 2, None)
        assert heads == [channel]


@pytest.mark.parametrize(("offset", "epoch", "missed"), [(1, "", [2, 3]), (3, "another", None), (9, "", None)])
async def test_who_missed_something_is_answered_by_the_log(
    realtime: Realtime, heads: list[str], offset: int, epoch: str, missed: list[int] | None
) -> None:
    org_id = f"org_missed_{offset}"
    channel = f"org:{org_id}:calls"
    async with talking(realtime, org_id) as first, talking(realtime, org_id) as other:
        await first.ask(subscribe={"channel": channel})
        for number in range(3):
            await realtime.emit(org_id, call_id=f"call_{number}")
        await first.until_pushes(3)
        back = {"channel": channel, "recover": True, "epoch": epoch, "offset": offset}
        result = (await other.ask(subscribe=back))["subscribe"]
        assert heads == [channel, channel]
        assert result.get("recovered", False) is (missed is not None)
        assert [one["offset"] for one in result.get("publications", [])] == (missed or [])


async def test_a_channel_is_read_again_once_all_its_listeners_have_left(realtime: Realtime, heads: list[str]) -> None:
    channel = "org:org_left:calls"
    async with talking(realtime, "org_left") as talk:
        await talk.ask(subscribe={"channel": channel})
        await talk.ask(unsubscribe={"channel": channel})
        # Between two listeners the channel was not heard here.
        await realtime.emit("org_left")
        result = (await talk.ask(subscribe={"channel": channel}))["subscribe"]
        assert (result["offset"], heads) == (1, [channel, channel])


async def test_commands_of_one_frame_are_answered_in_one_write(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[bytes]] = []
    send = Socket.send

    def noted(wire: Socket, batches: Sequence[Batch]) -> bool:
        written.append([message for batch in batches for message in batch.messages])
        return send(wire, batches)

    channel = "org:org_frame:calls"
    async with talking(realtime, "org_frame") as talk:
        await talk.ask(subscribe={"channel": channel})
        monkeypatch.setattr(Socket, "send", noted)
        commands: list[dict[str, Any]] = [
            {"id": 1, "connect": {"token": realtime.token("org_frame")}},
            {"id": 2, "subscribe": {"channel": channel}},
            {"id": 3, "subscribe": {"channel": channel}},
            {"id": 4, "unsubscribe": {"channel": channel}},
        ]
        async with websockets.connect(realtime.url) as socket:
            await socket.send("\n".join(map(json.dumps, commands)))
            replies = [json.loads(await socket.recv()) for _ in commands]
    assert [reply["id"] for reply in replies] == [1, 2, 3, 4]
    assert code(replies[2]) == 105
    assert [len(messages) for messages in written] == [4]


async def test_what_was_answered_before_a_fault_is_said_before_the_end(realtime: Realtime) -> None:
    async with websockets.connect(realtime.url) as socket:
        connect = json.dumps({"id": 1, "connect": {"token": realtime.token("org_fault")}})
        await socket.send(connect + '\n{"id":2,"ping":{}}')
        assert json.loads(await socket.recv())["id"] == 1
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 3501


async def test_many_who_join_at_once_are_announced_together(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, told = "org:org_crowd:calls", list[bytes]()
    publish = Bus.publish_core

    async def noted(bus: Bus, subject: str, data: bytes = b"") -> None:
        if "org_crowd" in subject and subject.endswith(".presence"):
            told.append(data)
        await publish(bus, subject, data)

    monkeypatch.setattr(Bus, "publish_core", noted)
    async with contextlib.AsyncExitStack() as stack:
        watcher = await stack.enter_async_context(talking(realtime, "org_crowd"))
        await watcher.ask(subscribe={"channel": channel, "join_leave": True})
        talks = await asyncio.gather(*(stack.enter_async_context(talking(realtime, "org_crowd")) for _ in range(50)))
        await asyncio.gather(*(talk.ask(subscribe={"channel": channel}) for talk in talks))
        await watcher.until_pushes(51)
        joined = [push["join"]["info"]["client"] for push in watcher.joins(channel)]
        assert sorted(joined) == sorted([watcher.client, *(talk.client for talk in talks)])
        assert sum(data.count(b'"join"') for data in told) == 51
        assert len(told) < 51
        await asyncio.gather(*(talk.ask(unsubscribe={"channel": channel}) for talk in talks))
        await watcher.until_pushes(101)


class Codec:
    """How often JSON that holds a mark was read and written."""

    def __init__(self) -> None:
        self.decoded = self.encoded = 0

    @contextlib.contextmanager
    def counting(self, mark: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        decode, encode, reply = json.JSONDecoder.decode, json.JSONEncoder.encode, messages._encoder

        def decoded(decoder: json.JSONDecoder, text: str, *how: Any) -> Any:
            self.decoded += mark in text
            return decode(decoder, text, *how)

        def encoded(encoder: json.JSONEncoder, value: Any) -> str:
            text = encode(encoder, value)
            self.encoded += mark in text
            return text

        class Replies:
            @staticmethod
            def encode(value: Any) -> bytes:
                text = reply.encode(value)
                self.encoded += mark.encode() in text
                return text

        with monkeypatch.context() as patch:
            patch.setattr(json.JSONDecoder, "decode", decoded)
            patch.setattr(json.JSONEncoder, "encode", encoded)
            patch.setattr(messages, "_encoder", Replies)
            yield


async def test_an_event_is_decoded_and_encoded_once_on_its_way_from_the_commit_to_all_sockets(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, codec = "org:org_once:calls", Codec()
    published = (
        _event("org_once", "call.ended", "call_once", {"summary": "only here", "agentId": "agt_1"}).payload().encode()
    )
    async with contextlib.AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(realtime, "org_once")) for _ in range(8)]
        for talk in talks:
            await talk.ask(subscribe={"channel": channel})
            await talk.ask(subscribe={"channel": "call:call_once"})
        # Clients that are limited to some agents: what each of them may hear is found out once.
        grants = [frozenset({"agt_1"}), frozenset({"agt_1", "agt_2"}), frozenset({"agt_3"})]
        for agents in grants:
            limited = await stack.enter_async_context(talking(realtime, "org_once", agents=agents))
            await limited.ask(subscribe={"channel": channel})
        delivered = 2 * len(talks) + 2
        sent: list[bytes] = []
        monkeypatch.setattr(Socket, "send", lambda _, batches: _kept(sent, batches))
        with codec.counting("only here", monkeypatch):
            async with realtime.database.system_transaction("org_once") as connection:
                await Subscribers(realtime.bus).on_events(connection, [ReceivedEvent.parse(published)])
            await until(lambda: len(sent) == delivered)
    # The second time for those who are limited to some agents.
    assert (codec.decoded, codec.encoded) == (2, 1)


def _kept(sent: list[bytes], batches: Sequence[Batch]) -> bool:
    sent.extend(message for batch in batches for message in batch.messages)
    return True

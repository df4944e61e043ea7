"""Who listens to a channel: told to its listeners alone, over all instances, and gone with its client."""

from __future__ import annotations

import asyncio
from typing import Any

from libs.cache.connection import RedisConnection
from services.realtime.protocol import presence as presences
from services.realtime.protocol.announcements import Key
from services.realtime.protocol.messages import ClientInfo
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.talking import code, talking


async def test_a_listener_is_told_who_listens_with_it(realtime: Realtime) -> None:
    channel = "call:call_present"
    async with talking(realtime, "org_p") as first, talking(realtime, "org_p", user_id="usr_2") as second:
        for talk in (first, second):
            await talk.ask(subscribe={"channel": channel})
        found = (await first.ask(presence={"channel": channel}))["presence"]["presence"]
        assert {name: info["client"] for name, info in found.items()} == {name: name for name in found}
        assert sorted(info["user"] for info in found.values()) == ["usr_1", "usr_2"]
        stats = (await second.ask(presence_stats={"channel": channel}))["presence_stats"]
        assert stats == {"num_clients": 2, "num_users": 2}
        await second.ask(unsubscribe={"channel": channel})
        assert (await first.ask(presence_stats={"channel": channel}))["presence_stats"]["num_clients"] == 1
        assert code(await second.ask(presence={"channel": channel})) == 103


async def test_another_organizations_channel_of_the_same_name_has_its_own_presence(realtime: Realtime) -> None:
    channel = {"channel": "call:call_shared"}
    async with talking(realtime, "org_p1") as ours, talking(realtime, "org_p2") as theirs:
        await ours.ask(subscribe=channel)
        await theirs.ask(subscribe={**channel, "join_leave": True})
        assert len((await theirs.ask(presence=channel))["presence"]["presence"]) == 1
        async with talking(realtime, "org_p1") as another:
            await another.ask(subscribe=channel)
            assert len((await another.ask(presence=channel))["presence"]["presence"]) == 2
        await theirs.ask(presence=channel)
        await theirs.until_pushes(1)
        assert [push for push in theirs.pushes if "join" in push or "leave" in push] == theirs.joins("call:call_shared")
        assert len(theirs.joins("call:call_shared")) == 1


async def test_joins_and_leaves_reach_those_who_asked_for_them(realtime: Realtime) -> None:
    channel = {"channel": "call:call_doors"}
    async with talking(realtime, "org_jl") as watcher, talking(realtime, "org_jl") as listener:
        await listener.ask(subscribe=channel)
        await watcher.ask(subscribe={**channel, "join_leave": True})
        async with talking(realtime, "org_jl", user_id="usr_9") as guest:
            await guest.ask(subscribe=channel)
            await watcher.until_pushes(2)
        await watcher.until_pushes(3)
        kinds = [(next(kind for kind in push if kind != "channel")) for push in watcher.pushes]
        assert kinds == ["join", "join", "leave"]
        assert [push[kind]["info"]["user"] for push, kind in zip(watcher.pushes, kinds, strict=True)] == [
            "usr_1", "usr_9", "usr_9",
        ]  # fmt: skip
        await listener.ask(presence=channel)
        assert listener.pushes == []


async def test_presence_comes_back_after_redis_was_flushed(realtime: Realtime, redis: RedisConnection) -> None:
    channel = {"channel": "call:call_flushed"}
    async with talking(realtime, "org_f") as talk:
        await talk.ask(subscribe=channel)
        assert (await talk.ask(presence_stats=channel))["presence_stats"]["num_clients"] == 1
        await redis.run([("FLUSHALL",)])
        assert (await talk.ask(presence_stats=channel))["presence_stats"]["num_clients"] == 0
        await realtime.doors.presence.renew_all()
        assert (await talk.ask(presence_stats=channel))["presence_stats"]["num_clients"] == 1


async def test_what_a_killed_instance_left_expires(realtime: Realtime, redis: RedisConnection) -> None:
    channel, key = {"channel": "call:call_killed"}, ("org_k", "call:call_killed")
    left = presences.Presence(realtime.doors.presence.redis)
    left.join(key, ClientInfo("usr_7", "client-of-a-killed-instance"))
    async with talking(realtime, "org_k") as talk:
        await talk.ask(subscribe=channel)
        await until(lambda: not left.is_writing)
        assert (await talk.ask(presence_stats=channel))["presence_stats"]["num_clients"] == 2
        await _expire(redis, key, "client-of-a-killed-instance")
        assert (await talk.ask(presence_stats=channel))["presence_stats"]["num_clients"] == 1


async def _expire(redis: RedisConnection, key: Key, client: str) -> None:
    """Put the entry's time into the past, as 60 s without a renewal do."""
    name = f"rt:presence:{{{key[0]}:{key[1]}}}:times"
    answer: list[Any] = await redis.run([("ZADD", name, 1, client)])
    assert answer == [0]


async def test_a_channel_has_at_most_a_thousand_present(realtime: Realtime) -> None:
    crowd, key = presences.Presence(realtime.doors.presence.redis), ("org_crowd", "call:call_crowd")
    for number in range(presences.MAX_PRESENT + 50):
        crowd.join(key, ClientInfo("usr", f"client-{number}"))
    assert len(await crowd.clients(key)) == presences.MAX_PRESENT
    await crowd.close()
    assert await crowd.clients(key) == {}


async def test_closing_sockets_leave_no_presence(realtime: Realtime) -> None:
    key = ("org_gone", "call:call_gone")
    for _ in range(20):
        async with talking(realtime, "org_gone") as talk:
            await talk.ask(subscribe={"channel": key[1]})
            assert talk.client in (await talk.ask(presence={"channel": key[1]}))["presence"]["presence"]
    async with asyncio.timeout(60):
        while await realtime.doors.presence.clients(key):
            await asyncio.sleep(0.05)

"""Who listens to a channel, over all instances: entries in Redis that expire unless their instance renews them.

Redis may lose everything: the next renewal writes it again. Nothing else depends on it. Joins and leaves are collected,
so that a storm of connections costs a few round trips. Keys carry the organization.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import msgspec

from libs.cache.client import RedisClient, RedisUnavailable
from libs.cache.scripts import Script
from libs.errors import Unavailable
from services.realtime.protocol.announcements import Key
from services.realtime.protocol.messages import ClientInfo

_log = logging.getLogger(__name__)

# Seconds after which an entry is gone that is not renewed: how long clients of a killed instance seem present.
EXPIRY_SECONDS = 60
# Seconds between renewals: Centrifugo's default.
RENEWAL_SECONDS = 27.0
# Entries of one channel. Who comes beyond them listens without being told. Larger: larger answers.
MAX_PRESENT = 1_000
# Seconds in which joins and leaves are collected.
_COLLECT_SECONDS = 0.02
# Changes in one batch to Redis; each runs within the client's 0.2 s.
_BATCH = 200

# KEYS: clients by the time of their expiry; their information. ARGV[1]: seconds. Of an expired client nothing stays.
_PRUNE = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms)
if #gone > 0 then
    for first = 1, #gone, 1000 do
        local part = {unpack(gone, first, math.min(first + 999, #gone))}
        redis.call('ZREM', KEYS[1], unpack(part))
        redis.call('HDEL', KEYS[2], unpack(part))
    end
end
"""
# ARGV: seconds, the most entries, then client and information in turn.
_PUT = Script(
    _PRUNE
    + """
local room = tonumber(ARGV[2]) - redis.call('ZCARD', KEYS[1])
for place = 3, #ARGV, 2 do
    local known = redis.call('ZSCORE', KEYS[1], ARGV[place])
    if known or room > 0 then
        if not known then room = room - 1 end
        redis.call('ZADD', KEYS[1], ms + ARGV[1] * 1000, ARGV[place])
        redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1])
    end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1"""
)
# ARGV: clients.
_TAKE = Script(
    """
redis.call('ZREM', KEYS[1], unpack(ARGV))
redis.call('HDEL', KEYS[2], unpack(ARGV))
return 1"""
)
_LIST = Script(_PRUNE + "return redis.call('HGETALL', KEYS[2])")

_infos = msgspec.json.Decoder(ClientInfo)


class Presence:
    """The clients of this instance in the presence of all."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        # This instance's entries by channel and client.
        self._mine: dict[Key, dict[str, bytes]] = {}
        self._joined: dict[Key, set[str]] = {}
        self._left: dict[Key, set[str]] = {}
        self._writing = asyncio.Lock()
        self._collecting: asyncio.Task[None] | None = None

    def join(self, key: Key, info: ClientInfo) -> None:
        self._mine.setdefault(key, {})[info.client] = msgspec.json.encode(info)
        self._joined.setdefault(key, set()).add(info.client)
        self._left.get(key, set()).discard(info.client)
        self._collect()

    def leave(self, key: Key, client: str) -> None:
        entries = self._mine.get(key, {})
        if entries.pop(client, None) is None:
            return
        if not entries:
            del self._mine[key]
        self._joined.get(key, set()).discard(client)
        self._left.setdefault(key, set()).add(client)
        self._collect()

    async def clients(self, key: Key) -> dict[str, ClientInfo]:
        """Who listens to the channel on any instance, at most MAX_PRESENT. Raises Unavailable without Redis."""
        await self._write()
        try:
            found: list[bytes] = await self.redis.run(_LIST, _keys(key))
        except RedisUnavailable:
            raise Unavailable("presence_unavailable", "Presence cannot be read at this moment.") from None
        return {bytes(name).decode(): _infos.decode(info) for name, info in zip(found[::2], found[1::2], strict=True)}

    async def renew(self, stop: asyncio.Event) -> None:
        """Until stopped, keep this instance's entries from expiring."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEWAL_SECONDS):
                    await stop.wait()
                    return
            await self.renew_all()

    async def renew_all(self) -> None:
        for key, entries in self._mine.items():
            self._joined.setdefault(key, set()).update(entries)
        await self._write()

    @property
    def is_writing(self) -> bool:
        """Whether changes wait to be written."""
        return self._collecting is not None and not self._collecting.done()

    async def close(self) -> None:
        """Take this instance's entries out."""
        for key, entries in list(self._mine.items()):
            for client in list(entries):
                self.leave(key, client)
        await self._write()

    def _collect(self) -> None:
        if self._collecting is None or self._collecting.done():
            self._collecting = asyncio.get_running_loop().create_task(self._write_soon())

    async def _write_soon(self) -> None:
        await asyncio.sleep(_COLLECT_SECONDS)
        await self._write()

    async def _write(self) -> None:
        """Bring to Redis what has changed. What Redis does not take, the next renewal brings."""
        async with self._writing:
            joined, self._joined = self._joined, {}
            left, self._left = self._left, {}
            try:
                for key, clients in left.items():
                    for part in _parts(sorted(clients)):
                        await self.redis.run(_TAKE, _keys(key), part)
                for key, clients in joined.items():
                    mine = self._mine.get(key, {})
                    for part in _parts(sorted(clients & mine.keys())):
                        entries = [value for client in part for value in (client, mine.get(client, b""))]
                        await self.redis.run(_PUT, _keys(key), [EXPIRY_SECONDS, MAX_PRESENT, *entries])
            except RedisUnavailable:
                _log.warning("presence was not written; the next renewal brings it")


def _parts(clients: Sequence[str]) -> list[Sequence[str]]:
    return [clients[first : first + _BATCH] for first in range(0, len(clients), _BATCH)]


def _keys(key: Key) -> tuple[str, str]:
    """One slot of a cluster; names of organizations and channels hold no braces."""
    name = f"rt:presence:{{{key[0]}:{key[1]}}}"
    return f"{name}:times", name

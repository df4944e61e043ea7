"""Who joins and who leaves, told to the instances with clients that asked for it.

The first announcement in a channel is sent at once. Those of the next moment are sent together, so that a storm of
connections costs a few messages. A message holds pushes in their order, joined by newlines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.bus import Bus, subjects

Key = tuple[str, str]
# Seconds in which further announcements of a channel are collected. Longer: fewer messages, later joins and leaves.
_COLLECT_SECONDS = 0.02
# Pushes of one message. A push has at most 0.7 KiB, and a message of the bus 1 MiB.
_MOST = 100


class Announcements:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        # Of the channels in which something was announced a moment ago.
        self._collected: dict[Key, list[bytes]] = {}
        # Kept, because the loop holds its tasks weakly.
        self._publishing: set[asyncio.Task[None]] = set()

    def add(self, key: Key, push: bytes) -> None:
        """Tell the watchers of the channel on every instance; the push is complete. The bus may lose it."""
        if key in self._collected:
            self._collected[key].append(push)
        else:
            self._announce(key, [push])

    async def close(self) -> None:
        """Publish what was collected."""
        collected, self._collected = self._collected, {}
        await asyncio.gather(*self._publishing, *(self._publish(key, pushes) for key, pushes in collected.items()))

    def _announce(self, key: Key, pushes: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._publish(key, pushes))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
        self._collected[key] = []
        loop.call_later(_COLLECT_SECONDS, self._announce_collected, key)

    def _announce_collected(self, key: Key) -> None:
        if pushes := self._collected.pop(key, None):
            self._announce(key, pushes)

    async def _publish(self, key: Key, pushes: Sequence[bytes]) -> None:
        for first in range(0, len(pushes), _MOST):
            await self._bus.publish_core(subjects.realtime_presence(*key), b"\n".join(pushes[first : first + _MOST]))

"""Tells the caches of a change: first Redis, then every process over NATS.

Redis comes first. A process that hears of the change reads Redis again, and must not find the old value there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from libs.cache.changes import Change
from libs.cache.client import RedisUnavailable
from libs.cache.store import RedisStore
from libs.context import set_response_header
from libs.telemetry.metrics import CACHE_INVALIDATIONS

# Seconds that a writer waits for Redis after its commit; then the relay invalidates.
WRITER_SECONDS = 0.05
# Tells who asked for a write, beside its answer, which event replaced the tags: it may store the answer.
EVENT_HEADER = "x-cache-event"
# NATS takes messages up to 1 MB; a tag has at most 200 bytes.
TAGS_A_MESSAGE = 1_000

Publish = Callable[[bytes], Awaitable[None]]


class Invalidator:
    """`publish` sends to all processes that hold values of the service."""

    def __init__(self, service: str, store: RedisStore, publish: Publish) -> None:
        self._service = service
        self._store = store
        self._publish = publish

    async def tell(self, changes: Sequence[Change]) -> None:
        """After a commit: within 0.05 s or not at all; the relay's leader does it again."""
        try:
            async with asyncio.timeout(WRITER_SECONDS):
                await self._replace(changes)
            outcome = "applied"
        except (RedisUnavailable, TimeoutError):
            outcome = "failed"
        CACHE_INVALIDATIONS.labels("writer", outcome).inc(len(changes))
        if len(changes) == 1:
            set_response_header(EVENT_HEADER, changes[0].event_id)
        await self._announce(changes)

    async def apply(self, changes: Sequence[Change]) -> None:
        """All of them, or RedisUnavailable. Processes hear of those that no writer has applied."""
        applied = await self._replace(changes)
        missed = [change for change, first in zip(changes, applied, strict=True) if first]
        CACHE_INVALIDATIONS.labels("relay", "repeated").inc(len(changes) - len(missed))
        CACHE_INVALIDATIONS.labels("relay", "applied").inc(len(missed))
        await self._announce(missed)

    async def _replace(self, changes: Sequence[Change]) -> list[bool]:
        if len(changes) == 1:
            return [await self._store.invalidate(changes[0].event_id, changes[0].tags(self._service))]
        tasks = (self._store.invalidate(change.event_id, change.tags(self._service)) for change in changes)
        return list(await asyncio.gather(*tasks))

    async def _announce(self, changes: Sequence[Change]) -> None:
        tags = sorted({tag for change in changes for tag in change.tags(self._service)})
        for first in range(0, len(tags), TAGS_A_MESSAGE):
            await self._publish("\n".join(tags[first : first + TAGS_A_MESSAGE]).encode())

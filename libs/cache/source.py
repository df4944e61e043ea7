"""Access to the source behind a class: how many loads run at once without Redis, and which failures are outages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from libs.errors import AppError, Code, Unavailable

# Without Redis so many loads of a process run at once, and so many readers wait for a place.
DEGRADED_LOADS = 32
# Readers that wait; further ones are refused with 503.
DEGRADED_WAITING = 512
_AWAY = frozenset((Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED))


class LoadPlaces:
    """Bounds the loads of one class while Redis is away, so that PostgreSQL does not get every read at once."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(DEGRADED_LOADS)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def taken(self, bounded: bool) -> AsyncIterator[None]:
        """One place, if loads are bounded now. Raises Unavailable when too many wait."""
        if not bounded:
            yield
            return
        if self._waiting >= DEGRADED_WAITING:
            raise Unavailable("overloaded", "Too many requests wait for the same resource. Try again.", retry_after=1)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


def is_outage(error: BaseException | bool | None) -> bool:
    """Whether the source could not answer, so that an older value within the bound will do."""
    return isinstance(error, TimeoutError | OSError) or (isinstance(error, AppError) and error.code in _AWAY)

"""Turns: writes of one organization queue here rather than at the database.

They follow each other anyway, at the account's row lock; waiting there each would hold a connection, and one busy
organization would take the pool from all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Two: one works while the next already waits for the lock.
AT_ONCE = 2


class Turns:
    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._waiting: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, org_id: str) -> AsyncIterator[None]:
        """Hold one of the organization's places, in order of arrival."""
        semaphore, users = self._waiting.get(org_id) or (asyncio.Semaphore(self._at_once), 0)
        self._waiting[org_id] = (semaphore, users + 1)
        try:
            async with semaphore:
                yield
        finally:
            users = self._waiting[org_id][1] - 1
            # The last one removes the entry, so that the map holds busy organizations alone.
            if users:
                self._waiting[org_id] = (semaphore, users)
            else:
                del self._waiting[org_id]

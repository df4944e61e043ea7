"""The leader's part: applies every committed change to Redis, and only then moves the heartbeat of its service.

The heartbeat says "all that was committed before this moment is applied"; readers trust a value no longer than the
bound without one. Runs beside the outbox relay, under the same leadership.
"""

import asyncio
import logging

from libs.cache import changes
from libs.cache.classes import CLASSES
from libs.cache.client import RedisUnavailable
from libs.cache.invalidation import Invalidator
from libs.cache.store import RedisStore
from libs.errors import AppError
from libs.postgres.leader import Lease

# Seconds between rounds, at most: with the answers' time, how old a heartbeat can be. Shorter: a dead writer's change
# shows earlier, and an idle suite works more.
TICK_SECONDS = 1.0
# Rounds within the shortest bound of the classes that a service vouches for, so that one may be late.
_ROUNDS_A_BOUND = 3
# Events per round. Larger: fewer commands, longer rounds.
BATCH = 500

logger = logging.getLogger(__name__)


class CacheRelay:
    """`run` while leading; cancelled when the leadership ends."""

    def __init__(self, service: str, store: RedisStore, invalidator: Invalidator) -> None:
        self._service = service
        self._store = store
        self._invalidator = invalidator
        bounds = (kind.bound_seconds for kind in CLASSES if service in kind.services)
        self._tick = min((TICK_SECONDS, *(bound / _ROUNDS_A_BOUND for bound in bounds)))

    async def run(self, lease: Lease) -> None:
        while True:
            try:
                await self.step(lease)
            except RedisUnavailable:
                await self._bound_waiting(lease)
            except AppError as error:
                logger.warning("invalidations wait for the database: %s", error.reason)
            except Exception:
                # A task that ended here would end all hits silently.
                logger.exception("a round of invalidations failed")
            await asyncio.sleep(self._tick)

    async def step(self, lease: Lease) -> None:
        """Apply what is committed and move the heartbeat. Raises RedisUnavailable."""
        begun, run_id = await self._store.begin(self._service)
        while True:
            async with lease.connection() as conn:
                found = await changes.read(conn, BATCH)
            if found:
                await self._invalidator.apply([change for _, change in found])
                async with lease.connection() as conn:
                    await changes.delete(conn, [row_id for row_id, _ in found])
            if len(found) < BATCH:
                break
        await self._store.beat(self._service, begun, run_id)

    async def _bound_waiting(self, lease: Lease) -> None:
        """Without Redis the rows gather; past a bound one row stands for all."""
        try:
            async with lease.connection() as conn:
                await changes.compact(conn)
        except AppError as error:
            logger.warning("invalidations wait for the database: %s", error.reason)

"""What the services say of themselves: asked all at once, one round at a time, shared by everyone who waits for it.

A service that does not answer in time is absent. It must not judge what the answers mean for health.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from echosenseix.common.v1 import common_pb2
from libs.errors import AppError
from libs.rpc.context import CallContext, acting_as, serving
from libs.rpc.principal import ROLE_GATEWAY, Principal

if TYPE_CHECKING:
    from echosenseix.common.v1.common_pb2_grpc import StatusServiceAsyncStub

# A service gives its database and Redis a second each to answer.
_ROUND_SECONDS = 1.5
_FRESH_SECONDS = 0.2
_GATEWAY = Principal(role=ROLE_GATEWAY, issuer="gateway")

Statuses = Mapping[str, common_pb2.GetStatusResponse | None]


class SuiteStatus:
    """One round of questions serves all who ask within a fifth of a second."""

    def __init__(self, stubs: "Mapping[str, StatusServiceAsyncStub]") -> None:
        self._stubs = stubs
        self._round: asyncio.Task[Statuses] | None = None
        self._fresh_until = 0.0

    async def read(self) -> Statuses:
        """Service name -> its status, None for one that is away."""
        if self._round is None or (self._round.done() and time.monotonic() >= self._fresh_until):
            self._round = asyncio.create_task(self._ask())
        return await asyncio.shield(self._round)

    async def _ask(self) -> Statuses:
        with serving(CallContext(deadline=time.monotonic() + _ROUND_SECONDS)), acting_as(_GATEWAY):
            answers = await asyncio.gather(*(self._ask_one(name) for name in self._stubs))
        self._fresh_until = time.monotonic() + _FRESH_SECONDS
        return dict(zip(self._stubs, answers, strict=True))

    async def _ask_one(self, name: str) -> common_pb2.GetStatusResponse | None:
        try:
            return await self._stubs[name].GetStatus(common_pb2.GetStatusRequest())
        except AppError:
            return None

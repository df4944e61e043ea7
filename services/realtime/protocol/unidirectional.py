"""A connection that takes no commands: its channels come with the request that opens it, and replies are pushes.

Errors are disconnect codes, because nothing else can be answered. It holds channels, positions, pings and expiry as
`Connection` does.
"""

from __future__ import annotations

from services.realtime.protocol import commands, disconnects
from services.realtime.protocol import messages as m
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.connection import Connection, Subscription
from services.realtime.protocol.disconnects import Disconnect
from services.realtime.protocol.tokens import Grant, TokenExpired, TokenInvalid


class UnidirectionalConnection(Connection):
    __slots__ = ()

    def begin(self, request: commands.ConnectRequest) -> None:
        """Connect and subscribe; what comes of it is pushed."""
        self._worker = self._loop.create_task(self._begin(request))

    def lose_position(self, subscription: Subscription) -> None:
        """It cannot subscribe again, so it connects again."""
        self.disconnect(disconnects.INSUFFICIENT_STATE)

    async def _begin(self, request: commands.ConnectRequest) -> None:
        if not request.token:
            return self.disconnect(disconnects.BAD_REQUEST)
        try:
            grant = self.grant = self._around.tokens.verify(request.token)
        except TokenExpired:
            return self.disconnect(disconnects.EXPIRED)
        except TokenInvalid:
            return self.disconnect(disconnects.INVALID_TOKEN)
        try:
            await self._open(request, grant)
        except Exception:
            self.log_failure()
            self.disconnect(disconnects.INTERNAL)
        return None

    async def _open(self, request: commands.ConnectRequest, grant: Grant) -> None:
        result, entered = self._connected(grant), list[tuple[Subscription, int]]()
        result.pong = False
        for channel, wanted in request.subs.items():
            if error := self._refusal(channel, grant):
                return self.disconnect(_DISCONNECTS.get(error.code, disconnects.BAD_REQUEST))
            wanted.channel = channel
            subscription, result.subs[channel], position = await self._enter(wanted, grant)
            entered.append((subscription, position))
        self.collect(Batch((m.encode_connect(result),)))
        for subscription, position in entered:
            self._go_live(subscription, position, grant)
        self.flush()
        return None

    def _ping(self) -> None:
        """There is no pong to wait for."""
        super()._ping()
        self._awaiting_pong = False


_DISCONNECTS: dict[int, Disconnect] = {
    m.PERMISSION_DENIED.code: disconnects.PERMISSION_DENIED,
    m.LIMIT_EXCEEDED.code: disconnects.CHANNEL_LIMIT,
}

"""Opens both public listeners of an instance and closes them: sockets first, spread over the drain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping

from libs.bus import Bus, subjects
from libs.cache.client import RedisClient
from libs.clock import utcnow
from libs.errors import AppError
from libs.http.connection_limits import ConnectionLimits
from libs.http.server import HttpServer
from services.realtime.config import RealtimeSettings
from services.realtime.doors.emulation import Emulation
from services.realtime.doors.events import EventStreams, StreamLimits, create_app
from services.realtime.protocol import disconnects
from services.realtime.protocol.connection import Connection, Surroundings
from services.realtime.protocol.hub import POSITION_CHECK_SECONDS, Hub
from services.realtime.protocol.presence import Presence
from services.realtime.protocol.revocation import REVOKING_TOPICS, concerns, revocation, revoked_before, revoked_id
from services.realtime.protocol.tokens import TOKEN_LIFETIME, ConnectionTokens
from services.realtime.protocol.unidirectional import UnidirectionalConnection
from services.realtime.protocol.websocket import WebSocketDoor
from services.realtime.storage.event_log import EventLog

_log = logging.getLogger(__name__)
# Seconds before the log is read again after a failure.
_RETRY_SECONDS = 1.0


class Doors:
    def __init__(self, settings: RealtimeSettings, bus: Bus, log: EventLog, tokens: ConnectionTokens) -> None:
        self.hub = Hub(bus, log.read, log.tops)
        self._redis = RedisClient(settings.redis_url)
        self.presence = Presence(self._redis)
        surroundings = Surroundings(self.hub, tokens, self.presence, log.read, log.read_back)
        self.addresses: dict[str, str] = {}
        self._settings = settings
        self._bus = bus
        self._log = log
        self._tokens = tokens
        self._stopping = asyncio.Event()
        self.sockets = WebSocketDoor(
            lambda wire: Connection(wire, surroundings), settings.allowed_origins, _limits(settings)
        )
        per_organization, per_token = settings.streams_per_organization, settings.streams_per_token
        self._streams = EventStreams(self.hub, log, tokens, self._stopping, StreamLimits(per_organization, per_token))
        self._emulation = Emulation(
            lambda wire, session, node: Connection(wire, surroundings, session, node),
            lambda wire: UnidirectionalConnection(wire, surroundings),
            bus,
            settings.allowed_origins,
        )
        self._http = HttpServer(
            create_app(self._streams, self._emulation),
            settings.http_address,
            drain_seconds=settings.drain_seconds,
            limits=_limits(settings),
        )
        self.http_limits = self._http.limits
        self._serving: asyncio.Task[None] | None = None
        self._renewing = asyncio.create_task(self.presence.renew(self._stopping))

    @classmethod
    async def open(cls, settings: RealtimeSettings, bus: Bus, log: EventLog, tokens: ConnectionTokens) -> Doors:
        doors = cls(settings, bus, log, tokens)
        host, port = _split(settings.ws_address)
        doors.addresses["ws"] = "{}:{}".format(*await doors.sockets.open(host, port))
        doors._serving = asyncio.create_task(doors._http.run(doors._stopping))
        await doors._http.started()
        doors.addresses["http"] = doors._http.address
        await doors._emulation.open()
        await bus.subscribe_core(subjects.REALTIME_REVOKED, doors._on_revoked)
        return doors

    async def watch(self, stop: asyncio.Event) -> None:
        """Until stopped, read events that the bus may have lost: at the start, after each reconnect, every 25 s."""
        was_connected, wait = False, 0.0
        while not stop.is_set():
            if wait <= 0 or (self._bus.connected and not was_connected):
                wait = POSITION_CHECK_SECONDS if await self._catch_up() else _RETRY_SECONDS
            was_connected = self._bus.connected
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS):
                    await stop.wait()
            wait -= _RETRY_SECONDS

    async def _catch_up(self) -> bool:
        """Whether the log could be read; while it cannot, sockets stay open with what they know."""
        try:
            for event, logged_at in await self._log.since(REVOKING_TOPICS, utcnow() - TOKEN_LIFETIME):
                if message := revocation(event, logged_at):
                    self._revoke(message)
            await self.hub.check_positions()
        except AppError as error:
            _log.warning("the event log does not answer (%s); trying again", error.reason)
            return False
        return True

    async def close(self) -> None:
        self._stopping.set()
        for connection in self._emulation.connections:
            connection.disconnect(disconnects.SHUTDOWN)
        await self.sockets.drain(self._settings.drain_seconds / 2)
        if self._serving is not None:
            await self._serving
        self._renewing.cancel()
        await self.presence.close()
        await self.hub.close()
        await self._redis.close()

    @property
    def emulated(self) -> list[Connection]:
        """Connections without a socket."""
        return self._emulation.connections

    def gauges(self) -> dict[str, float]:
        return {"sockets": float(len(self.sockets.sockets))}

    async def _on_revoked(self, subject: str, payload: bytes) -> None:
        self._revoke(json.loads(payload))

    def _revoke(self, message: Mapping[str, str]) -> None:
        self._tokens.revoke(message["org"], revoked_id(message), revoked_before(message))
        self.sockets.disconnect_where(lambda connection: concerns(message, connection.grant), disconnects.FORCED)
        for connection in self._emulation.connections:
            if concerns(message, connection.grant):
                connection.disconnect(disconnects.FORCED)
        self._streams.end_where(lambda grant: concerns(message, grant))


def _limits(settings: RealtimeSettings) -> ConnectionLimits:
    """Each listener counts for itself."""
    return ConnectionLimits(settings.connections_max, settings.connections_per_address)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)

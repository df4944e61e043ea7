"""One client's conversation: commands in their order, replies, pushes, pings and the reasons to end it.

Knows nothing of sockets: a `Wire` carries bytes and closes. Every rule is the Centrifugo client protocol's, JSON v2.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from libs.clock import utcnow
from libs.errors import AppError
from services.realtime.domain.channels import has_presence, is_channel_name, is_own, is_positioned, may_listen
from services.realtime.domain.history import RECOVERY_LIMIT, History, Published, recover
from services.realtime.protocol import commands, disconnects
from services.realtime.protocol import messages as m
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.disconnects import Disconnect
from services.realtime.protocol.hearing import is_about
from services.realtime.protocol.hub import Block, Hub, Key
from services.realtime.protocol.presence import Presence
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenExpired, TokenInvalid

_log = logging.getLogger(__name__)

# Seconds between pings: Centrifugo's default, which the SDKs expect.
PING_SECONDS = 25
# Seconds for the pong: Centrifugo's default.
PONG_SECONDS = 8.0
# Seconds from the handshake to the connect command.
CONNECT_SECONDS = 10.0
# Seconds after the token's expiry in which the client can refresh: Centrifugo's default.
EXPIRY_GRACE_SECONDS = 25.0
# Channels of one connection: Centrifugo's default.
MAX_CHANNELS = 128
# Commands that wait; a client that sends more is disconnected.
MAX_PENDING_COMMANDS = 256
# The largest offset that the log can hold. The protocol's is twice as large, and a client may send any.
MAX_OFFSET = 2**63 - 1

_PING = Batch((m.PING,))

ReadHistory = Callable[[str, str, int, int], Awaitable[History]]


class Wire(Protocol):
    def send(self, batches: Sequence[Batch]) -> bool:
        """Queue messages; False when the reader is too slow to be kept."""

    def close(self, disconnect: Disconnect) -> None: ...


class Subscription:
    """One channel of one connection. Live publications wait in `buffer` until the subscribe reply is written. Once it
    has `ended`, the client may subscribe anew from what it has, so that a later publication would arrive twice."""

    __slots__ = ("buffer", "channel", "connection", "ended", "position")

    def __init__(self, connection: Connection, channel: str) -> None:
        self.connection = connection
        self.channel = channel
        self.position = 0
        self.ended = False
        self.buffer: list[Block] | None = []

    def receive(self, block: Block) -> None:
        if self.ended:
            return
        if self.buffer is not None:
            self.buffer.append(block)
        elif block.is_unpositioned:
            self.connection.collect(block.batch)
        elif block.first == self.position + 1:
            self.position = block.last
            if self.connection.hears_all(self.channel):
                self.connection.collect(block.batch)
            else:
                for published, push in block.items:
                    self._collect(published, push)
        else:
            self._receive_in_part(block)

    def _receive_in_part(self, block: Block) -> None:
        """What is newer than the position; a gap ends the subscription."""
        for published, push in block.items:
            if published.offset == self.position + 1:
                self.position = published.offset
                self._collect(published, push)
            elif published.offset > self.position:
                self.connection.lose_position(self)
                return

    def _collect(self, published: Published, push: bytes) -> None:
        if self.connection.hears(self.channel, published):
            self.connection.collect(Batch((push,)))

    def flush(self) -> None:
        self.connection.flush()

    def go_live(self, offset: int) -> None:
        """The reply ends at `offset`: send the buffered publications that are newer."""
        self.position, waiting, self.buffer = offset, self.buffer or [], None
        for block in waiting:
            self.receive(block)
        self.flush()


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What the connections of an instance share."""

    hub: Hub
    tokens: ConnectionTokens
    presence: Presence
    read_history: ReadHistory
    read_back: ReadHistory


class Connection:
    def __init__(self, wire: Wire, surroundings: Surroundings, session: str = "", node: str = "") -> None:
        """`session` and `node` are told to clients whose commands come by requests of their own."""
        self.id = str(uuid.uuid4())
        self._session, self._node = session, node
        self.grant: Grant | None = None
        self._wire = wire
        self._hub = surroundings.hub
        self._tokens = surroundings.tokens
        self._presence = surroundings.presence
        self._read_history = surroundings.read_history
        self._read_back = surroundings.read_back
        self._subscriptions: dict[str, Subscription] = {}
        self._out: list[Batch] = []
        self._commands: collections.deque[commands.Command] = collections.deque()
        self._worker: asyncio.Task[None] | None = None
        # Kept, because the loop holds its tasks weakly.
        self._departing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._awaiting_pong = False
        self._loop = asyncio.get_running_loop()
        self._pings = self._loop.call_later(CONNECT_SECONDS, self.disconnect, disconnects.STALE)
        self._expiry: asyncio.TimerHandle | None = None

    # -- what the socket tells

    def feed(self, frame: bytes) -> None:
        """One whole text message from the client."""
        if self._closed:
            return None
        try:
            parsed = commands.parse_frame(frame)
        except ValueError:
            return self.disconnect(disconnects.BAD_REQUEST)
        for command in parsed:
            if command.is_pong:
                self._on_pong()
            else:
                self._commands.append(command)
        if len(self._commands) > MAX_PENDING_COMMANDS:
            return self.disconnect(disconnects.SLOW)
        if self._commands and (self._worker is None or self._worker.done()):
            self._worker = self._loop.create_task(self._work())
        return None

    def closed(self) -> None:
        """After the socket closed: release channels and timers."""
        self._closed = True
        self._pings.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        subscriptions, self._subscriptions = self._subscriptions, {}
        if self._worker is not None:
            self._worker.cancel()
        if subscriptions and self.grant is not None:
            self._leaving = self._loop.create_task(self._leave_all(self.grant.org_id, list(subscriptions.values())))

    async def _leave_all(self, org_id: str, subscriptions: list[Subscription]) -> None:
        for subscription in subscriptions:
            await self._depart((org_id, subscription.channel), subscription)

    async def _depart(self, key: Key, subscription: Subscription) -> None:
        await self._hub.leave(key, subscription)
        # A client that subscribed again meanwhile is still there.
        if self.grant is not None and has_presence(key[1]) and key[1] not in self._subscriptions:
            self._presence.leave(key, self.id)
            await self._hub.announce(key, m.encode_joined(key[1], "leave", self._info(self.grant)))

    def _info(self, grant: Grant) -> m.ClientInfo:
        return m.ClientInfo(grant.user_id, self.id)

    def disconnect(self, disconnect: Disconnect) -> None:
        if not self._closed:
            self._closed = True
            self._wire.close(disconnect)

    # -- what leaves

    def collect(self, batch: Batch) -> None:
        self._out.append(batch)

    def flush(self) -> None:
        if self._out:
            batches, self._out = self._out, []
            self._send(batches)

    def hears_all(self, channel: str) -> bool:
        """Whether every event of the channel is for this client; else each is asked for."""
        return self.grant is None or self.grant.agents is None or is_own(channel, self.grant.user_id)

    def hears(self, channel: str, published: Published) -> bool:
        """Whether the event is for this client, which may be limited to some agents."""
        agents = None if self.grant is None else self.grant.agents
        return agents is None or self.hears_all(channel) or is_about(published.data, agents)

    def _shown(self, channel: str, publications: Iterable[Published]) -> list[m.Publication]:
        heard = (published for published in publications if self.hears(channel, published))
        return [m.Publication(msgspec.Raw(published.data), published.offset) for published in heard]

    def subscription(self, channel: str) -> Subscription | None:
        return self._subscriptions.get(channel)

    def lose_position(self, subscription: Subscription) -> None:
        """The client re-subscribes at once with the position it has, and recovers the rest from the log."""
        self._end(subscription, 2500, "insufficient state")

    def _end(self, subscription: Subscription, code: int, reason: str) -> None:
        """By the protocol a client stays out after a code below 2500, and subscribes again at once after others."""
        if self._subscriptions.pop(subscription.channel, None) is None or self.grant is None:
            return
        subscription.ended = True
        self.collect(Batch((m.encode_unsubscribe(subscription.channel, code, reason),)))
        key = (self.grant.org_id, subscription.channel)
        departing = self._loop.create_task(self._depart(key, subscription))
        self._departing.add(departing)
        departing.add_done_callback(self._departing.discard)

    def _send(self, batches: Sequence[Batch]) -> None:
        if not self._closed and not self._wire.send(batches):
            self.disconnect(disconnects.SLOW)

    def _reply(self, reply: m.Reply) -> None:
        self._send((Batch((m.encode(reply),)),))

    # -- pings and expiry

    def _ping(self) -> None:
        if self._closed:
            return
        self._awaiting_pong = True
        self._send((_PING,))
        self._pings = self._loop.call_later(PONG_SECONDS, self._after_ping)

    def _after_ping(self) -> None:
        if self._awaiting_pong:
            self.disconnect(disconnects.NO_PONG)
        else:
            self._pings = self._loop.call_later(PING_SECONDS - PONG_SECONDS, self._ping)

    def _on_pong(self) -> None:
        if not self._awaiting_pong:
            self.disconnect(disconnects.BAD_REQUEST)
        self._awaiting_pong = False

    def _expire_at(self, grant: Grant) -> int:
        """Arm the end of the connection; the seconds after which the client shall refresh (at least 1)."""
        if self._expiry is not None:
            self._expiry.cancel()
        left = (grant.expires_at - utcnow()).total_seconds()
        self._expiry = self._loop.call_later(left + EXPIRY_GRACE_SECONDS, self.disconnect, disconnects.EXPIRED)
        return max(1, int(left))

    # -- commands

    async def _work(self) -> None:
        """One command at a time, in the order they came."""
        while self._commands and not self._closed:
            command = self._commands.popleft()
            try:
                await self._handle(command)
            except (AppError, OSError):
                self._reply(m.Reply(command.id, error=m.INTERNAL))
            except Exception:
                self.log_failure()
                self._reply(m.Reply(command.id, error=m.INTERNAL))

    def log_failure(self) -> None:
        """Inside the handler of an exception."""
        _log.exception("a realtime command failed")

    async def _handle(self, command: commands.Command) -> None:
        match command.request:
            case commands.ConnectRequest() as request:
                self._connect(command.id, request)
            case None | commands.PingRequest():
                self.disconnect(disconnects.BAD_REQUEST)
            case commands.Malformed():
                self._refuse_malformed(command.id)
            case _ if self.grant is None:
                self.disconnect(disconnects.BAD_REQUEST)
            case commands.SendRequest():
                self.disconnect(disconnects.NOT_AVAILABLE)
            case commands.SubscribeRequest() as request:
                await self._subscribe(command.id, request, self.grant)
            case commands.UnsubscribeRequest() as request:
                await self._unsubscribe(command.id, request.channel, self.grant)
            case commands.HistoryRequest() as request:
                await self._history(command.id, request, self.grant)
            case commands.PresenceRequest() | commands.PresenceStatsRequest() as request:
                await self._tell_presence(command.id, request, self.grant)
            case commands.RefreshRequest() as request:
                self._refresh(command.id, request, self.grant)
            case request:
                self._reply(m.Reply(command.id, error=_not_offered(request)))

    def _refuse_malformed(self, command_id: int) -> None:
        """Before the connect command succeeds, no other command is answered."""
        if self.grant is None:
            self.disconnect(disconnects.BAD_REQUEST)
        else:
            self._reply(m.Reply(command_id, error=m.BAD_REQUEST))

    def _connect(self, command_id: int, request: commands.ConnectRequest) -> None:
        if self.grant is not None or not request.token:
            return self.disconnect(disconnects.BAD_REQUEST)
        try:
            self.grant = self._tokens.verify(request.token)
        except TokenExpired:
            self._reply(m.Reply(command_id, error=m.TOKEN_EXPIRED))
            self._commands.clear()
            self._pings.cancel()
            self._pings = self._loop.call_later(5.0, self.disconnect, disconnects.STALE)
            return None
        except TokenInvalid:
            return self.disconnect(disconnects.INVALID_TOKEN)
        self._reply(m.Reply(command_id, connect=self._connected(self.grant)))
        return None

    def _connected(self, grant: Grant) -> m.ConnectResult:
        """The connect result. From now on the server pings."""
        self._pings.cancel()
        first = PING_SECONDS / 2 + (hash(self.id) % 1000) / 1000 * PING_SECONDS / 2
        self._pings = self._loop.call_later(first, self._ping)
        ttl = self._expire_at(grant)
        result = m.ConnectResult(client=self.id, expires=True, ttl=ttl, ping=PING_SECONDS, pong=True)
        result.session, result.node = self._session, self._node
        return result

    def _refresh(self, command_id: int, request: commands.RefreshRequest, grant: Grant) -> None:
        if not request.token:
            return self.disconnect(disconnects.BAD_REQUEST)
        try:
            fresh = self._tokens.verify(request.token)
        except TokenExpired:
            return self.disconnect(disconnects.EXPIRED)
        except TokenInvalid:
            return self.disconnect(disconnects.INVALID_TOKEN)
        if not grant.is_same_identity(fresh):
            return self.disconnect(disconnects.INVALID_TOKEN)
        self.grant = fresh
        for subscription in list(self._subscriptions.values()):
            if not _may_listen(subscription.channel, fresh):
                self._end(subscription, 2000, "server unsubscribe")
        self.flush()
        self._reply(m.Reply(command_id, refresh=m.RefreshResult(self.id, True, self._expire_at(fresh))))
        return None

    def _refusal(self, channel: str, grant: Grant) -> m.Error | None:
        if not is_channel_name(channel):
            return m.BAD_REQUEST
        if channel in self._subscriptions:
            return m.ALREADY_SUBSCRIBED
        if len(self._subscriptions) >= MAX_CHANNELS:
            return m.LIMIT_EXCEEDED
        return None if _may_listen(channel, grant) else m.PERMISSION_DENIED

    async def _subscribe(self, command_id: int, request: commands.SubscribeRequest, grant: Grant) -> None:
        if error := self._refusal(request.channel, grant):
            return self._reply(m.Reply(command_id, error=error))
        subscription, result, position = await self._enter(request, grant)
        self._reply(m.Reply(command_id, subscribe=result))
        await self._go_live(subscription, position, grant)
        return None

    async def _enter(
        self, request: commands.SubscribeRequest, grant: Grant
    ) -> tuple[Subscription, m.SubscribeResult, int]:
        """Listen, then read the position: what is published from now on waits for `_go_live`."""
        key = (grant.org_id, request.channel)
        subscription = self._subscriptions[request.channel] = Subscription(self, request.channel)
        try:
            await self._hub.listen(key, subscription)
            if request.join_leave and has_presence(request.channel) and self.hears_all(request.channel):
                await self._hub.watch(key, subscription)
            return subscription, *(await self._position(key, request))
        except BaseException:
            self._subscriptions.pop(request.channel, None)
            await self._hub.leave(key, subscription)
            raise

    async def _go_live(self, subscription: Subscription, position: int, grant: Grant) -> None:
        subscription.go_live(position)
        channel = subscription.channel
        if has_presence(channel) and not self._closed:
            key = (grant.org_id, channel)
            self._presence.join(key, self._info(grant))
            await self._hub.announce(key, m.encode_joined(channel, "join", self._info(grant)))

    async def _position(
        self, key: tuple[str, str], request: commands.SubscribeRequest
    ) -> tuple[m.SubscribeResult, int]:
        """The reply, and the offset where live publications go on; read after listening: no gap, no duplicate."""
        if not is_positioned(request.channel):
            return m.SubscribeResult(), 0
        after = min(request.offset, MAX_OFFSET) if request.recover else -1
        history = await self._read_history(*key, after, RECOVERY_LIMIT + 1 if request.recover else 0)
        self._hub.stand_at(key, history.top)
        result = m.SubscribeResult(recoverable=True, positioned=True, epoch=history.epoch, offset=history.top)
        if request.recover:
            recovery = recover(history, epoch=request.epoch, offset=request.offset)
            result.was_recovering = True
            result.recovered = recovery.recovered
            result.offset = recovery.offset
            result.publications = self._shown(request.channel, recovery.publications)
        return result, history.top

    async def _unsubscribe(self, command_id: int, channel: str, grant: Grant) -> None:
        if not channel:
            return self._reply(m.Reply(command_id, error=m.BAD_REQUEST))
        if subscription := self._subscriptions.pop(channel, None):
            subscription.ended = True
            await self._depart((grant.org_id, channel), subscription)
        self._reply(m.Reply(command_id, unsubscribe=m.Empty()))
        return None

    async def _history(self, command_id: int, request: commands.HistoryRequest, grant: Grant) -> None:
        if not is_channel_name(request.channel):
            return self._reply(m.Reply(command_id, error=m.BAD_REQUEST))
        if request.channel not in self._subscriptions or not is_positioned(request.channel):
            return self._reply(m.Reply(command_id, error=m.PERMISSION_DENIED))
        since = request.since or commands.StreamPosition()
        if request.reverse and request.since is not None and not since.offset:
            return self._reply(m.Reply(command_id, error=m.BAD_REQUEST))
        limit = RECOVERY_LIMIT if request.limit < 0 else min(request.limit, RECOVERY_LIMIT)
        read = self._read_back if request.reverse else self._read_history
        history = await read(grant.org_id, request.channel, min(since.offset, MAX_OFFSET), limit)
        if since.epoch and since.epoch != history.epoch:
            return self._reply(m.Reply(command_id, error=m.UNRECOVERABLE))
        rows = self._shown(request.channel, history.publications)
        self._reply(m.Reply(command_id, history=m.HistoryResult(rows, history.epoch, history.top)))
        return None

    async def _tell_presence(
        self, command_id: int, request: commands.PresenceRequest | commands.PresenceStatsRequest, grant: Grant
    ) -> None:
        """Who listens to a channel, for one that listens to it."""
        channel = request.channel
        if not is_channel_name(channel):
            return self._reply(m.Reply(command_id, error=m.BAD_REQUEST))
        # Who listens to calls of all agents is not told to who hears of some.
        if channel not in self._subscriptions or not self.hears_all(channel):
            return self._reply(m.Reply(command_id, error=m.PERMISSION_DENIED))
        if not has_presence(channel):
            return self._reply(m.Reply(command_id, error=m.NOT_AVAILABLE))
        found = await self._presence.clients((grant.org_id, channel))
        if isinstance(request, commands.PresenceRequest):
            return self._reply(m.Reply(command_id, presence=m.PresenceResult(found)))
        stats = m.PresenceStatsResult(len(found), len({info.user for info in found.values()}))
        return self._reply(m.Reply(command_id, presence_stats=stats))


def _may_listen(channel: str, grant: Grant) -> bool:
    limited = grant.agents is not None
    return may_listen(channel, org_id=grant.org_id, user_id=grant.user_id, scopes=grant.scopes, limited=limited)


def _not_offered(request: commands.Request) -> m.Error:
    """The reply to commands of the protocol that this server does not offer."""
    match request:
        case commands.RpcRequest():
            return m.METHOD_NOT_FOUND
        case commands.PublishRequest(channel=channel) if is_channel_name(channel):
            return m.PERMISSION_DENIED
        case commands.SubRefreshRequest(channel=channel, token=token) if token and is_channel_name(channel):
            # No subscription has a token of its own, so none is held by one.
            return m.PERMISSION_DENIED
        case _:
            return m.BAD_REQUEST

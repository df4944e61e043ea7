"""One client's conversation: commands in their order, replies, pushes, pings and the reasons to end it.

Knows nothing of sockets: a `Wire` carries bytes and closes. Every rule is the Centrifugo client protocol's, JSON v2.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
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
from services.realtime.protocol.hub import Block, Hub
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
# What is left of a command that has to wait for something; None when it is answered.
Rest = Coroutine[None, None, None] | None


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

    def deliver(self, block: Block) -> None:
        """Most publications take this way: alone, to a client that has all before and hears of all agents."""
        connection = self.connection
        follows = block.first == self.position + 1 and self.buffer is None and not self.ended
        if follows and not connection.collected and connection.hears_all(self.channel):
            self.position = block.last
            connection.send(block.alone)
        else:
            self.receive(block)
            connection.flush()

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
        """The reply ends at `offset`: collect the buffered publications that are newer."""
        self.position, waiting, self.buffer = offset, self.buffer or [], None
        for block in waiting:
            self.receive(block)


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What the connections of an instance share."""

    hub: Hub
    tokens: ConnectionTokens
    presence: Presence
    read_history: ReadHistory
    read_back: ReadHistory


class Connection:
    """Commands that need nothing from elsewhere are answered in the turn in which they came, without a task; what they
    answer together leaves in one write."""

    __slots__ = (
        "_around", "_awaiting_pong", "_closed", "_commands", "_expiry", "_loop", "_node", "_pings", "_session",
        "_subscriptions", "_wire", "_worker", "collected", "grant", "id",
    )  # fmt: skip

    def __init__(self, wire: Wire, surroundings: Surroundings, session: str = "", node: str = "") -> None:
        """`session` and `node` are told to clients whose commands come by requests of their own."""
        self.id = str(uuid.uuid4())
        self._session, self._node = session, node
        self.grant: Grant | None = None
        self._wire = wire
        self._around = surroundings
        self._subscriptions: dict[str, Subscription] = {}
        # Leaves with the next flush.
        self.collected: list[Batch] = []
        self._commands: list[commands.Command] = []
        # Of the command that waits; those behind it wait for it.
        self._worker: asyncio.Task[None] | None = None
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
        if self._worker is None:
            self._proceed()
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
        for subscription in subscriptions.values():
            self._depart(subscription)

    def _depart(self, subscription: Subscription) -> None:
        if self.grant is None:
            return
        channel = subscription.channel
        key = (self.grant.org_id, channel)
        self._around.hub.leave(key, subscription)
        # A client that subscribed again meanwhile is still there.
        if has_presence(channel) and channel not in self._subscriptions:
            self._around.presence.leave(key, self.id)
            self._around.hub.announce(key, m.encode_joined(channel, "leave", self._info(self.grant)))

    def _info(self, grant: Grant) -> m.ClientInfo:
        return m.ClientInfo(grant.user_id, self.id)

    def disconnect(self, disconnect: Disconnect) -> None:
        if self._closed:
            return
        self.flush()  # What was answered before is said before; a reader that is too slow for it is closed by it.
        if not self._closed:
            self._closed = True
            self._wire.close(disconnect)

    # -- what leaves

    def collect(self, batch: Batch) -> None:
        self.collected.append(batch)

    def flush(self) -> None:
        if self.collected:
            batches, self.collected = self.collected, []
            self.send(batches)

    def hears_all(self, channel: str) -> bool:
        """Whether every event of the channel is for this client; else each is asked for."""
        return self._agents(channel) is None

    def hears(self, channel: str, published: Published) -> bool:
        """Whether the event is for this client, which may be limited to some agents."""
        agents = self._agents(channel)
        return agents is None or is_about(published.data, agents)

    def _agents(self, channel: str) -> frozenset[str] | None:
        """The agents of which this client hears in the channel, None for all."""
        grant = self.grant
        if grant is None or grant.agents is None or is_own(channel, grant.user_id):
            return None
        return grant.agents

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
        self._depart(subscription)

    def send(self, batches: Sequence[Batch]) -> None:
        if not self._closed and not self._wire.send(batches):
            self.disconnect(disconnects.SLOW)

    def _reply(self, reply: m.Reply) -> None:
        """It leaves with the next flush."""
        self.collect(Batch((m.encode(reply),)))

    # -- pings and expiry

    def _ping(self) -> None:
        if self._closed:
            return
        self._awaiting_pong = True
        self.send((_PING,))
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

    def _proceed(self) -> None:
        """One command at a time, in the order they came, until one has to wait."""
        while self._commands and not self._closed and self._worker is None:
            command = self._commands.pop(0)
            with self._answering(command.id):
                rest = self._handle(command)
                if rest is not None:
                    self._worker = self._loop.create_task(self._finish(command.id, rest))
        self.flush()

    async def _finish(self, command_id: int, rest: Coroutine[None, None, None]) -> None:
        with self._answering(command_id):
            await rest
        self._worker = None
        self._proceed()

    @contextlib.contextmanager
    def _answering(self, command_id: int) -> Iterator[None]:
        """A command that fails is answered, too."""
        try:
            yield
        except (AppError, OSError):
            self._reply(m.Reply(command_id, error=m.INTERNAL))
        except Exception:
            self.log_failure()
            self._reply(m.Reply(command_id, error=m.INTERNAL))

    def log_failure(self) -> None:
        """Inside the handler of an exception."""
        _log.exception("a realtime command failed")

    def _handle(self, command: commands.Command) -> Rest:
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
                return self._subscribe(command.id, request, self.grant)
            case commands.UnsubscribeRequest() as request:
                self._unsubscribe(command.id, request.channel)
            case commands.HistoryRequest() as request:
                return self._history(command.id, request, self.grant)
            case commands.PresenceRequest() | commands.PresenceStatsRequest() as request:
                return self._tell_presence(command.id, request, self.grant)
            case commands.RefreshRequest() as request:
                self._refresh(command.id, request, self.grant)
            case request:
                self._reply(m.Reply(command.id, error=_not_offered(request)))
        return None

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
            self.grant = self._around.tokens.verify(request.token)
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
            fresh = self._around.tokens.verify(request.token)
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

    def _subscribe(self, command_id: int, request: commands.SubscribeRequest, grant: Grant) -> Rest:
        if error := self._refusal(request.channel, grant):
            self._reply(m.Reply(command_id, error=error))
        elif not self._subscribe_at_once(command_id, request, grant):
            return self._subscribe_by_log(command_id, request, grant)
        return None

    def _subscribe_at_once(self, command_id: int, request: commands.SubscribeRequest, grant: Grant) -> bool:
        """Whether the channel's standing here was enough: others listen to it, and the client missed nothing."""
        key = (grant.org_id, request.channel)
        standing = None if request.join_leave else self._around.hub.standing(key)
        if standing is None:
            return False
        if request.recover and not recover(standing, epoch=request.epoch, offset=request.offset).recovered:
            return False
        subscription = self._subscriptions[request.channel] = Subscription(self, request.channel)
        self._around.hub.join(key, subscription)
        self._reply(m.Reply(command_id, subscribe=self._result(request, standing)))
        self._go_live(subscription, standing.top, grant)
        return True

    def _result(self, request: commands.SubscribeRequest, history: History) -> m.SubscribeResult:
        """What a subscription begins with, by what the log holds after the client's position."""
        result = m.SubscribeResult(recoverable=True, positioned=True, epoch=history.epoch, offset=history.top)
        if request.recover:
            recovery = recover(history, epoch=request.epoch, offset=request.offset)
            result.was_recovering = True
            result.recovered = recovery.recovered
            result.offset = recovery.offset
            result.publications = self._shown(request.channel, recovery.publications)
        return result

    async def _subscribe_by_log(self, command_id: int, request: commands.SubscribeRequest, grant: Grant) -> None:
        subscription, result, position = await self._enter(request, grant)
        self._reply(m.Reply(command_id, subscribe=result))
        self._go_live(subscription, position, grant)

    async def _enter(
        self, request: commands.SubscribeRequest, grant: Grant
    ) -> tuple[Subscription, m.SubscribeResult, int]:
        """Listen, then read the position: what is published from now on waits for `_go_live`."""
        key = (grant.org_id, request.channel)
        subscription = self._subscriptions[request.channel] = Subscription(self, request.channel)
        try:
            await self._around.hub.listen(key, subscription)
            if request.join_leave and has_presence(request.channel) and self.hears_all(request.channel):
                await self._around.hub.watch(key, subscription)
            return subscription, *(await self._position(key, request))
        except BaseException:
            self._subscriptions.pop(request.channel, None)
            self._around.hub.leave(key, subscription)
            raise

    def _go_live(self, subscription: Subscription, position: int, grant: Grant) -> None:
        subscription.go_live(position)
        channel = subscription.channel
        if has_presence(channel) and not self._closed:
            key = (grant.org_id, channel)
            self._around.presence.join(key, self._info(grant))
            self._around.hub.announce(key, m.encode_joined(channel, "join", self._info(grant)))

    async def _position(
        self, key: tuple[str, str], request: commands.SubscribeRequest
    ) -> tuple[m.SubscribeResult, int]:
        """The reply, and the offset where live publications go on; read after listening: no gap, no duplicate."""
        if not is_positioned(request.channel):
            return m.SubscribeResult(), 0
        after = min(request.offset, MAX_OFFSET) if request.recover else -1
        history = await self._around.read_history(*key, after, RECOVERY_LIMIT + 1 if request.recover else 0)
        self._around.hub.stand_at(key, history)
        return self._result(request, history), history.top

    def _unsubscribe(self, command_id: int, channel: str) -> None:
        if not channel:
            return self._reply(m.Reply(command_id, error=m.BAD_REQUEST))
        if subscription := self._subscriptions.pop(channel, None):
            subscription.ended = True
            self._depart(subscription)
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
        read = self._around.read_back if request.reverse else self._around.read_history
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
        found = await self._around.presence.clients((grant.org_id, channel))
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

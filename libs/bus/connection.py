"""The connection to NATS. No caller waits for it, because PostgreSQL holds what is promised.

The only module that opens one. Core messages are dropped while NATS is away. Only the relay and the consumers use
JetStream.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_fixed

from libs.bus.subjects import inbox_prefix
from libs.telemetry.metrics import BUS_CONNECTED

# Seconds between tries to connect. Shorter: more load on a restarting server. Longer: later wake-ups.
RECONNECT_SECONDS = 0.25
# Seconds for an answer of JetStream's API. Longer: slower detection of a frozen server.
REQUEST_SECONDS = 2.0
# Seconds in which further messages on a subject are sent as one. Longer: fewer messages, later wake-ups.
ANNOUNCE_SECONDS = 0.002
# Bytes that wait for a server which reads nothing. Core messages beyond that are dropped.
# Above three messages of the largest event, which realtime sends at one time: one for each of its channels.
MAX_PENDING_BYTES = 2 * 1024 * 1024

logger = logging.getLogger(__name__)
# What NATS raises while it is away or restarts: callers wait and try again.
FAILURES: tuple[type[Exception], ...] = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)
Handler = Callable[[str, bytes], Awaitable[None] | None]


def _note_absence(state: RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    logger.warning("NATS does not answer yet: %s", type(error).__name__)


class CoreSubscription:
    """A subscription that survives every reconnect, and may be made while NATS is away."""

    def __init__(
        self, subject: str, handler: Handler, queue: str, forget: Callable[["CoreSubscription"], object]
    ) -> None:
        self.subject = subject
        self.queue = queue
        self._handler = handler
        self._forget = forget
        self._inner: Subscription | None = None
        self._gone = False

    async def attach(self, client: Client) -> None:
        if self._inner is None and not self._gone:
            self._inner = await client.subscribe(self.subject, queue=self.queue, cb=self._deliver)

    async def unsubscribe(self) -> None:
        """Deliver nothing more."""
        self._gone = True
        self._forget(self)
        inner, self._inner = self._inner, None
        if inner is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await inner.unsubscribe()

    async def _deliver(self, message: Msg) -> None:
        try:
            result = self._handler(message.subject, message.data)
            if result is not None:
                await result
        except Exception:
            logger.exception("the handler of %s failed", self.subject)


class Bus:
    """`connected` and `generation` (grows with every connect) show its state. Only this package uses `client` and
    `jetstream`."""

    def __init__(self, nats_url: str, name: str) -> None:
        self._servers = [server.strip() for server in nats_url.split(",") if server.strip()]
        self._name = name
        self._inbox = inbox_prefix(unquote(urlsplit(self._servers[0]).username or "") if self._servers else "")
        self._subscriptions: set[CoreSubscription] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._announced: dict[str, bool] = {}
        self._unsaid: set[str] = set()
        self._listeners: list[Callable[[], object]] = []
        self._announcing: asyncio.Future[None] | None = None
        self._up = asyncio.Event()
        self.generation = 0
        self.client = Client()
        self.jetstream: JetStreamContext = self.client.jetstream(timeout=REQUEST_SECONDS)

    @classmethod
    async def connect(cls, nats_url: str, name: str) -> "Bus":
        """Begin to connect; waits a moment so that the first messages find a connection, never fails."""
        bus = cls(nats_url, name)
        bus._connecting = asyncio.create_task(bus._connect())
        await asyncio.wait({bus._connecting}, timeout=0.5)
        return bus

    @property
    def connected(self) -> bool:
        return bool(self.client.is_connected)

    async def wait_connected(self, seconds: float) -> bool:
        """Whether there is a connection, at the latest after `seconds`."""
        if not self.connected:
            self._up.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._up.wait()
        return self.connected

    async def publish_core(self, subject: str, data: bytes = b"") -> None:
        """Send if connected, without confirmation. A server that reads nothing does not make the caller wait."""
        if self.connected and self.client.pending_data_size < MAX_PENDING_BYTES:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self.client.publish(subject, data)

    async def announce(self, subject: str) -> None:
        """An empty core message: for Database.announce_through. The first is sent at once. Those of the next 2 ms are
        sent as one message after it, because a listener that is woken looks for all work. Without a connection it is
        sent when there is one."""
        if subject in self._announced:
            self._announced[subject] = True
            return
        if not self.connected:
            self._unsaid.add(subject)
            return
        self._announced[subject] = False
        asyncio.get_running_loop().call_later(ANNOUNCE_SECONDS, self._announce_rest, subject)
        await self.publish_core(subject)

    def _announce_rest(self, subject: str) -> None:
        if self._announced.pop(subject, False):
            self._announcing = asyncio.ensure_future(self.announce(subject))

    async def subscribe_core(self, subject: str, handler: Handler, queue: str = "") -> CoreSubscription:
        """Call `handler(subject, data)` for each message; with a queue name one subscriber of the queue gets it."""
        subscription = CoreSubscription(subject, handler, queue, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        if self.connected:
            await subscription.attach(self.client)
        return subscription

    def on_connect(self, act: Callable[[], object]) -> Callable[[], None]:
        """Call `act` after each connect, also the first if it is yet to come; what it answers ends that."""
        self._listeners.append(act)
        return lambda: self._listeners.remove(act)

    async def flush(self, seconds: float = 1.0) -> None:
        """Wait until the server has what was sent, at most `seconds`."""
        if self.connected:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await self.client.flush(timeout=max(1, round(seconds)))

    async def close(self) -> None:
        """Never drains: nats-py's drain waits up to 30 s and raises when the server is down."""
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait({self._connecting}, timeout=1)
        await self.flush()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(2):
                await self.client.close()
        BUS_CONNECTED.set(0)

    async def _connect(self) -> None:
        await self._open()
        await self._on_connected()

    @retry(
        retry=retry_if_exception_type((nats.errors.Error, OSError, TimeoutError)),
        wait=wait_fixed(RECONNECT_SECONDS),
        before_sleep=_note_absence,
    )
    async def _open(self) -> None:
        await self.client.connect(
            servers=self._servers,
            name=self._name,
            inbox_prefix=self._inbox,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # only slept for; a fraction is fine
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
            # At its own bound the client makes the publisher wait for the server. Ours drops before.
            pending_size=2 * MAX_PENDING_BYTES,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_connected,
        )

    async def _on_connected(self) -> None:
        self.generation += 1
        for subscription in list(self._subscriptions):
            await subscription.attach(self.client)
        BUS_CONNECTED.set(1)
        self._up.set()
        logger.info("connected to NATS")
        unsaid, self._unsaid = self._unsaid, set()
        for subject in unsaid:
            await self.announce(subject)
        for act in list(self._listeners):
            act()

    async def _on_disconnected(self) -> None:
        BUS_CONNECTED.set(0)
        logger.warning("the connection to NATS is lost")

    async def _on_error(self, error: Exception) -> None:
        refused = "permissions violation" in str(error).lower()
        logger.log(logging.ERROR if refused else logging.DEBUG, "NATS: %s: %s", type(error).__name__, error)

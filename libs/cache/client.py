"""Redis for the request path: the commands of one loop tick leave in one batch, and none waits longer than 0.2 s.

No retry: a failure opens the breaker, every command then fails at once, and a ping in the background closes it again.
A batch costs neither a task nor a timer of its own: answers settle their futures, and one timer watches the oldest.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from libs.cache.connection import Command, RedisConnection
from libs.cache.scripts import Script
from libs.telemetry.metrics import CACHE_REDIS_UP

# Seconds that a command may take; then the source is read. It is the promised latency of a read, so a hang is never
# visible.
REDIS_SECONDS = 0.2
# Failures in a row that open the breaker. One can be a single slow command.
FAILURES = 2
# Seconds between pings while the breaker is open. Longer: later return to Redis.
PROBE_SECONDS = 0.5
# Seconds of batches that are watched as one. Longer: commands fail up to that much earlier.
_WATCHED_TOGETHER = 0.01
# Seconds for answers that wait in the socket after this process itself stood still.
_AFTER_STALL = 0.02

logger = logging.getLogger(__name__)


class RedisUnavailable(Exception):
    """Redis is away, too slow, or refused the command."""


class _Sent:
    """One command, and who waits for its answer."""

    __slots__ = ("_client", "answer", "command", "script")

    def __init__(self, client: "RedisClient", script: Script, command: Command, answer: "asyncio.Future[Any]") -> None:
        self._client = client
        self.script = script
        self.command = command
        self.answer = answer

    def settle(self, answer: Any) -> None:
        """Called by the connection, or with a failure instead of an answer."""
        if not isinstance(answer, Exception):
            if not self.answer.done():
                self.answer.set_result(answer)
        elif str(answer).startswith("NOSCRIPT"):
            self._client.load_and_repeat(self)
        elif not self.answer.done():
            self.answer.set_exception(RedisUnavailable(str(answer) or type(answer).__name__))


class RedisClient:
    """Runs scripts. Commands queued in the same loop iteration share a round trip."""

    def __init__(self, redis_url: str, *, seconds: float = REDIS_SECONDS) -> None:
        self._url = redis_url
        self._seconds = seconds
        self._queue: list[_Sent] = []
        # When the first of the queue came, on the loop's clock.
        self._queued_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: RedisConnection | None = None
        self._opening = False
        # Which command over this connection must be answered by when; oldest first.
        self._due: deque[tuple[int, float]] = deque()
        self._sent = 0
        self._watch: asyncio.TimerHandle | None = None
        self._failed = 0
        self._probing = False
        self._closed = False
        CACHE_REDIS_UP.set(1)

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return not self._probing

    def ask(
        self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()
    ) -> "asyncio.Future[Any]":
        """The script's answer to come: RedisUnavailable in it, and raised at once while the breaker is open."""
        if self._probing or self._closed:
            raise RedisUnavailable("the breaker is open")
        loop = asyncio.get_running_loop()
        if not self._queue:
            self._queued_at = loop.time()
            loop.call_soon(self._flush)
        sent = _Sent(self, script, ("EVALSHA", script.sha, len(keys), *keys, *args), loop.create_future())
        self._queue.append(sent)
        return sent.answer

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()) -> Any:
        """The script's answer. Raises RedisUnavailable, at once while the breaker is open."""
        return await self.ask(script, keys, args)

    async def close(self) -> None:
        """Cut what still waits for an answer."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._drop(RedisUnavailable("closed"))

    def load_and_repeat(self, sent: _Sent) -> None:
        """A restarted server has no scripts. An unknown script did nothing, so running it again is safe."""
        connection = self._connection
        if self._closed or connection is None or connection.is_lost:
            sent.settle(RedisUnavailable("closed"))
            return
        self._queued_at = asyncio.get_running_loop().time()
        self._write(connection, [(("SCRIPT", "LOAD", sent.script.text), _ignore), (sent.command, sent.settle)])

    def _flush(self) -> None:
        connection = self._connection
        if connection is None or connection.is_lost:
            if not self._opening and not self._closed:
                self._opening = True
                self._spawn(self._open())
            return
        batch, self._queue = self._queue, []
        if batch:
            self._write(connection, [(sent.command, sent.settle) for sent in batch])

    def _write(self, connection: RedisConnection, commands: list[tuple[Command, Any]]) -> None:
        try:
            connection.send(commands)
        except OSError as error:
            for _, settle in commands:
                settle(error)
            return
        self._sent += len(commands)
        until = self._queued_at + self._seconds
        if self._due and until - self._due[-1][1] < _WATCHED_TOGETHER:
            self._due[-1] = (self._sent, self._due[-1][1])
        else:
            self._due.append((self._sent, until))
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_at(self._due[0][1], self._look)

    def _look(self) -> None:
        """Drop the connection if its oldest command is overdue."""
        self._watch = None
        connection, loop = self._connection, asyncio.get_running_loop()
        if connection is None:
            return
        if connection.is_lost:
            self._fail(ConnectionResetError("Redis closed the connection"))
            return
        while self._due and self._due[0][0] <= connection.answered:
            self._due.popleft()
            self._failed = 0
        if not self._due:
            return
        late = loop.time() - self._due[0][1]
        if late < 0:
            self._watch = loop.call_at(self._due[0][1], self._look)
        elif late > self._seconds / 2:
            self._due[0] = (self._due[0][0], loop.time())
            self._watch = loop.call_later(_AFTER_STALL, self._look)
        else:
            self._fail(TimeoutError("Redis does not answer"))

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                self._connection = await RedisConnection.open(self._url)
        except Exception as error:
            # OSError, TimeoutError or a broken answer: whichever it is, Redis gave no answer.
            self._fail(error)
        else:
            self._sent = self._connection.answered
            self._due.clear()
            self._flush()
        finally:
            self._opening = False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, error: Exception) -> None:
        self._drop(error)
        self._failed += 1
        if self._failed >= FAILURES and not self._probing and not self._closed:
            self._probing = True
            CACHE_REDIS_UP.set(0)
            logger.warning("Redis does not answer: reads go to their source")
            self._spawn(self._probe())

    def _drop(self, error: Exception) -> None:
        """Give the connection up. What it owed fails when it is told of the loss; what waited for it fails here."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._due.clear()
        batch, self._queue = self._queue, []
        for sent in batch:
            sent.settle(error)

    async def _probe(self) -> None:
        while self._probing:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                async with asyncio.timeout(self._seconds):
                    connection = await RedisConnection.open(self._url)
                    self._connection = connection
                    await connection.run([("PING",)])
            except (OSError, TimeoutError):
                self._drop(RedisUnavailable("the breaker is open"))
            else:
                self._sent = connection.answered
                self._probing = False
        self._failed = 0
        CACHE_REDIS_UP.set(1)
        logger.info("Redis answers again")


def _ignore(answer: Any) -> None:
    """The repeated command tells whether the script was loaded."""

"""Redis for the request path: the commands of one loop tick leave in one batch, and none waits longer than 0.2 s.

No retry: a failure opens the breaker, every command then fails at once, and a ping in the background closes it again.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
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

logger = logging.getLogger(__name__)


class RedisUnavailable(Exception):
    """Redis is away, too slow, or refused the command."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """One command of a batch and who waits for its answer."""

    script: Script
    command: Command
    answer: "asyncio.Future[Any]"


class RedisClient:
    """Runs scripts. Commands queued in the same loop iteration share a round trip."""

    def __init__(self, redis_url: str, *, seconds: float = REDIS_SECONDS) -> None:
        self._url = redis_url
        self._seconds = seconds
        self._queue: list[_Sent] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: RedisConnection | None = None
        self._opening = asyncio.Lock()
        self._failed = 0
        self._probing = False
        self._closed = False
        CACHE_REDIS_UP.set(1)

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return not self._probing

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()) -> Any:
        """The script's answer. Raises RedisUnavailable, at once while the breaker is open."""
        if self._probing or self._closed:
            raise RedisUnavailable("the breaker is open")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append(_Sent(script, ("EVALSHA", script.sha, len(keys), *keys, *args), answer))
        return await answer

    async def close(self) -> None:
        """Cut what still waits for an answer."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._drop()

    def _flush(self) -> None:
        batch, self._queue = self._queue, []
        self._spawn(self._send(batch))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[_Sent]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connected()
                answers = await connection.run([sent.command for sent in batch])
                if any(_is_unknown_script(answer) for answer in answers):
                    answers = await self._load_and_repeat(connection, batch, answers)
        except asyncio.CancelledError:
            _settle(batch, [RedisUnavailable("closed")] * len(batch))
            raise
        except Exception as error:
            # OSError, TimeoutError or a broken answer: whichever it is, Redis gave no answer.
            _settle(batch, [RedisUnavailable(type(error).__name__)] * len(batch))
            self._note_failure()
            return
        self._failed = 0
        _settle(batch, answers)

    async def _connected(self) -> RedisConnection:
        async with self._opening:
            if self._connection is None or self._connection.is_lost:
                self._connection = await RedisConnection.open(self._url)
            return self._connection

    @staticmethod
    async def _load_and_repeat(connection: RedisConnection, batch: list[_Sent], answers: list[Any]) -> list[Any]:
        """A restarted server has no scripts. An unknown script did nothing, so running it again is safe."""
        missing = [index for index, answer in enumerate(answers) if _is_unknown_script(answer)]
        texts = sorted({batch[index].script.text for index in missing})
        loads: list[Command] = [("SCRIPT", "LOAD", text) for text in texts]
        repeated = await connection.run([*loads, *(batch[index].command for index in missing)])
        for index, answer in zip(missing, repeated[len(loads) :], strict=True):
            answers[index] = answer
        return answers

    def _note_failure(self) -> None:
        self._drop()
        self._failed += 1
        if self._failed >= FAILURES and not self._probing:
            self._probing = True
            CACHE_REDIS_UP.set(0)
            logger.warning("Redis does not answer: reads go to their source")
            self._spawn(self._probe())

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    async def _probe(self) -> None:
        while self._probing:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                async with asyncio.timeout(self._seconds):
                    await (await self._connected()).run([("PING",)])
            except (OSError, TimeoutError):
                self._drop()
            else:
                self._probing = False
        self._failed = 0
        CACHE_REDIS_UP.set(1)
        logger.info("Redis answers again")


def _settle(batch: list[_Sent], answers: Sequence[Any]) -> None:
    for sent, answer in zip(batch, answers, strict=True):
        if sent.answer.done():
            continue
        if isinstance(answer, RedisUnavailable):
            sent.answer.set_exception(answer)
        elif isinstance(answer, Exception):
            sent.answer.set_exception(RedisUnavailable(str(answer)))
        else:
            sent.answer.set_result(answer)


def _is_unknown_script(answer: Any) -> bool:
    return isinstance(answer, Exception) and str(answer).startswith("NOSCRIPT")

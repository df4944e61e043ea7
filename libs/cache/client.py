"""Redis for the request path: the commands of one loop tick leave in one pipeline, and none waits longer than 0.2 s.

No retry: a failure opens the breaker, every command then fails at once, and a ping in the background closes it again.
The client library is imported on first use and off the loop: it costs 0.7 s and 30 MB.
"""

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Sequence
from typing import Any

from libs.cache.scripts import Script
from libs.telemetry.metrics import CACHE_REDIS_UP

REDIS_SECONDS = 0.2
CONNECTIONS = 8
FAILURES = 2
PROBE_SECONDS = 0.5

logger = logging.getLogger(__name__)


class RedisUnavailable(Exception):
    """Redis is away, too slow, or refused the command."""


class RedisClient:
    """Runs scripts. Commands queued in the same loop iteration share a round trip."""

    def __init__(self, redis_url: str, *, seconds: float = REDIS_SECONDS) -> None:
        self._url = redis_url
        self._seconds = seconds
        self._queue: list[tuple[Script, tuple[Any, ...], asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._client: Any = None
        self._failed = 0
        self._probing = False
        CACHE_REDIS_UP.set(1)

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return not self._probing

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()) -> Any:
        """The script's answer. Raises RedisUnavailable, at once while the breaker is open."""
        if self._probing:
            raise RedisUnavailable("the breaker is open")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append((script, ("EVALSHA", script.sha, len(keys), *keys, *args), answer))
        return await answer

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            with contextlib.suppress(Exception):
                await self._client.aclose()

    def _flush(self) -> None:
        batch, self._queue = self._queue, []
        self._spawn(self._send(batch))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[tuple[Script, tuple[Any, ...], "asyncio.Future[Any]"]]) -> None:
        try:
            if self._client is None:
                await self._open()
            async with asyncio.timeout(self._seconds):
                answers = await self._execute([command for _, command, _ in batch])
                if any(_is_unknown_script(answer) for answer in answers):
                    answers = await self._load_and_repeat(batch, answers)
        except asyncio.CancelledError:
            self._settle(batch, [RedisUnavailable("closed")] * len(batch))
            raise
        except Exception as error:
            # The library raises its own errors, OSError and TimeoutError; whichever it is, Redis gave no answer.
            self._settle(batch, [RedisUnavailable(type(error).__name__)] * len(batch))
            self._note_failure()
            return
        self._failed = 0
        self._settle(batch, answers)

    async def _execute(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _load_and_repeat(
        self, batch: list[tuple[Script, tuple[Any, ...], "asyncio.Future[Any]"]], answers: list[Any]
    ) -> list[Any]:
        """A restarted server has no scripts. An unknown script did nothing, so running it again is safe."""
        missing = [index for index, answer in enumerate(answers) if _is_unknown_script(answer)]
        texts = {batch[index][0].text for index in missing}
        loads = [("SCRIPT LOAD", text) for text in texts]
        repeated = await self._execute([*loads, *(batch[index][1] for index in missing)])
        for index, answer in zip(missing, repeated[len(loads) :], strict=True):
            answers[index] = answer
        return answers

    @staticmethod
    def _settle(batch: list[tuple[Script, tuple[Any, ...], "asyncio.Future[Any]"]], answers: Sequence[Any]) -> None:
        for (_, _, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, RedisUnavailable):
                future.set_exception(answer)
            elif isinstance(answer, Exception):
                future.set_exception(RedisUnavailable(str(answer)))
            else:
                future.set_result(answer)

    def _note_failure(self) -> None:
        self._failed += 1
        if self._failed >= FAILURES and not self._probing:
            self._probing = True
            CACHE_REDIS_UP.set(0)
            logger.warning("Redis does not answer: reads go to their source")
            self._spawn(self._probe())

    async def _probe(self) -> None:
        while self._probing:
            await asyncio.sleep(PROBE_SECONDS)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._seconds):
                    await self._client.ping()
                self._probing = False
        self._failed = 0
        CACHE_REDIS_UP.set(1)
        logger.info("Redis answers again")

    async def _open(self) -> None:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._connect())
        await asyncio.shield(self._opening)

    async def _connect(self) -> None:
        redis: Any = await asyncio.to_thread(importlib.import_module, "redis.asyncio")
        pool = redis.BlockingConnectionPool.from_url(
            self._url,
            max_connections=CONNECTIONS,
            timeout=self._seconds,
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            retry=None,
        )
        self._client = redis.Redis.from_pool(pool)


def _is_unknown_script(answer: Any) -> bool:
    return isinstance(answer, Exception) and type(answer).__name__ == "NoScriptError"

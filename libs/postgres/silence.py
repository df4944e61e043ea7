"""Whether the server answers at all. A frozen server or a cut line says nothing, and every call would wait for its
deadline.

When connections are in use and no statement has ended for a second, one more connection asks. If that is not answered
either, calls are refused at once until it is, or until any statement ends. A single long statement refuses nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

# Seconds without the end of any statement after which the server is asked. Shorter: more questions beside long
# statements. Longer: more calls wait for their deadline.
SUSPECT_SECONDS = 1.0
# Seconds in which a question must be answered.
ANSWER_SECONDS = 1.0
# Seconds between questions while there is no answer.
PAUSE_SECONDS = 0.25


class Silence:
    """Of one pool. `ask` ends when the server has answered; any error but a timeout is an answer too."""

    def __init__(self, ask: Callable[[], Awaitable[None]], tell: Callable[[], None]) -> None:
        self._ask = ask
        self._tell = tell
        self._answers = 0
        self._answered_at = time.monotonic()
        self._asking: asyncio.Task[None] | None = None
        self.is_silent = False

    def answered(self) -> None:
        """A statement ended."""
        self._answers += 1
        self._answered_at = time.monotonic()
        self.is_silent = False

    def watch(self, in_use: int) -> None:
        """Before a call: begin to ask when connections are in use and nothing has come for long."""
        if in_use == 0:
            self._answered_at = time.monotonic()
        elif self._asking is None and time.monotonic() - self._answered_at > SUSPECT_SECONDS:
            self._asking = asyncio.create_task(self._until_answered())

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _until_answered(self) -> None:
        try:
            while not await self._is_answered():
                if not self.is_silent:
                    self.is_silent = True
                    self._tell()
                await asyncio.sleep(PAUSE_SECONDS)
            self.answered()
        finally:
            self._asking = None

    async def _is_answered(self) -> bool:
        """A busy machine may answer the question late, and meanwhile the statements of others."""
        before = self._answers
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                with contextlib.suppress(Exception):
                    await self._ask()
        except TimeoutError:
            return self._answers != before
        return True

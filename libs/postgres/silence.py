"""Whether the server answers at all. A frozen server or a cut line says nothing, and every call would wait for its
deadline.

When a call has asked and no statement has ended for a second, the next call makes one more connection ask. If that is
not answered either, calls are refused at once until it is, or until any statement ends. A single long statement refuses
nothing. A call that went away unanswered counts: a lone caller with pauses never has a connection in use when it comes.
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
        # When the first call since the last answer asked; None: nothing is unanswered.
        self._unanswered_since: float | None = None
        self._asking: asyncio.Task[None] | None = None
        self.is_silent = False

    def answered(self) -> None:
        """A statement ended."""
        self._answers += 1
        self._unanswered_since = None
        self.is_silent = False

    def watch(self) -> None:
        """Before a call: begin to ask when an earlier one has got nothing for long."""
        now = time.monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = now
        elif self._asking is None and now - self._unanswered_since > SUSPECT_SECONDS:
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

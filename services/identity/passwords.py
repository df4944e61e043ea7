"""argon2id, off the event loop: a bounded pool of threads, and a bounded queue before it.

19 MiB, two passes, one lane (OWASP's first choice); libargon2 releases the GIL. More logins at once than the queue
holds are refused with a moment to wait, so that a flood of them never grows memory nor delays other calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from libs.errors import Unavailable

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
QUEUE_MAX = 64

T = TypeVar("T")


class Passwords:
    def __init__(self, workers: int) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="argon2")
        self._waiting = 0
        # What an unknown e-mail address is checked against, so that it takes as long as a known one.
        self._nobody = self._hasher.hash("nobody has this password")

    @classmethod
    async def open(cls, workers: int) -> Passwords:
        return cls(workers)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; the same work where there is no stored one."""
        fits = await self._run(lambda: self._verify(stored or self._nobody, password))
        return fits and stored is not None

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE_MAX:
            raise Unavailable(
                "too_busy", "Many people are logging in right now. Try again in a moment.", retry_after=1.0
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

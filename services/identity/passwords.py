"""argon2id, off the event loop: two bounded pools of threads, each with a bounded queue before it.

19 MiB, two passes, one lane (OWASP's first choice); libargon2 releases the GIL. Signing in and registering have a pool
each, so that a flood of registrations does not delay those who sign in. Requests beyond a full queue are refused with a
retry delay, so that a flood neither grows memory nor delays other calls. Passwords are compared in NFKC, as RFC 8265
asks: the same password typed on another keyboard is the same.
"""

from __future__ import annotations

import asyncio
import ctypes
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from libs.errors import Unavailable
from services.identity.domain.people import common_passwords

# KiB per hash: OWASP's first choice for argon2id. More: slower guessing, more memory per login.
MEMORY_KIB = 19 * 1024
# Passes over that memory.
PASSES = 2
# Threads per hash. One, because the pool already uses the cores.
LANES = 1
# Bytes from which glibc returns freed memory to the system. It would raise this limit to the size of a hash after the
# first one, and each hashing thread would keep 19 MiB. Set, it stays.
_RETURNED_BYTES = 4 << 20
# M_MMAP_THRESHOLD of malloc.h.
_M_MMAP_THRESHOLD = -3
# Requests that wait for a hashing thread; further ones are refused. More: longer waits for every login.
QUEUE_MAX = 64

T = TypeVar("T")


class Passwords:
    def __init__(self, workers: int) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._sign_in = _Lane(workers, "argon2-sign-in", "Many people are signing in right now. Try again in a moment.")
        self._register = _Lane(1, "argon2-register", "Many people are registering right now. Try again in a moment.")
        # What an unknown e-mail address is checked against, so that it takes as long as a known one.
        self._absent = self._hasher.hash("no account has this password")

    @classmethod
    async def open(cls, workers: int) -> Passwords:
        libc = ctypes.CDLL(None)
        # Not in musl or on macOS, where freed memory is returned anyway.
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, _RETURNED_BYTES)
        # Loaded here, so that the first registration does not block the event loop.
        common_passwords()
        return cls(workers)

    async def hash(self, password: str) -> str:
        """The hash of a new account's password."""
        return await self._register.run(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; the same work where there is no stored one."""
        fits = await self._sign_in.run(lambda: self._verify(stored or self._absent, password))
        return fits and stored is not None

    async def close(self) -> None:
        self._sign_in.close()
        self._register.close()

    def _verify(self, stored: str, password: str) -> bool:
        """By the composed password, then by the bytes as sent: older hashes were made of those."""
        return any(self._is(stored, form) for form in dict.fromkeys((_normal(password), password)))

    def _is(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


class _Lane:
    """Threads of one purpose and the queue before them."""

    def __init__(self, workers: int, name: str, busy: str) -> None:
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name)
        self._busy = busy
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE_MAX:
            raise Unavailable("too_busy", self._busy, retry_after=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)

"""A kind of job is a value: its name, its service and its whole policy, declared once and used by every call site.

The policy reaches the row through `new` and the worker through Handlers.add, so a caller neither omits nor repeats it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.jobs.enqueue import enqueue
from libs.jobs.job import ENDS, LIVE, WAITING, Lane, NewJob
from libs.postgres import Connection


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before the next attempt: exponential with full jitter, 0 … base x 2^(n-1), at most cap (AWS Architecture
    Blog, "Exponential Backoff And Jitter")."""

    base: float = 1.0
    cap: float = 300.0

    def delay(self, attempt: int, draw: float) -> float:
        """`attempt` is the one that just failed, from 1; `draw` is a random number in 0..1."""
        return float(min(self.cap, self.base * 2.0 ** min(attempt - 1, 60)) * draw)


@dataclass(frozen=True, slots=True)
class JobKind:
    """`timeout_seconds` bounds one attempt. `backoff` is exponential, or the seconds before each retry with a jitter of
    up to a tenth; its last entry repeats. `lane` is urgency; one job may ask for another.

    `unique_by` names arguments whose values, joined by a colon, are the job's unique key in its queue and organization:
    while one job holds the key, a second is not made. A job with none of these arguments has no key. `unique_states`
    says when the key is held: LIVE, WAITING (until a worker takes the job), or LIVE and some of ENDS."""

    name: str
    service: str
    queue: str = "default"
    lane: Lane = Lane.NORMAL
    max_attempts: int = 3
    timeout_seconds: float = 300.0
    backoff: Backoff | tuple[float, ...] = Backoff()
    unique_by: tuple[str, ...] = ()
    unique_states: Set[str] = LIVE

    def __post_init__(self) -> None:
        held, ends = self.unique_states, self.unique_states - LIVE
        if not held >= WAITING or not ends <= ENDS or (ends and not held >= LIVE):
            raise ValueError("a unique key is held while the job waits, until it ends, or also in some of the ends")

    def new(
        self,
        org_id: str,
        args: Mapping[str, Any] | None = None,
        *,
        lane: Lane | None = None,
        delay: float = 0.0,
        run_at: datetime | None = None,
    ) -> NewJob:
        """A job of this kind, for enqueue_many; `args` is plain JSON, at most 1 MiB."""
        ends = self.unique_states - LIVE
        return NewJob(
            self.service, self.name, org_id, args, self.queue, self.lane if lane is None else lane, self.max_attempts,
            self._unique_key(args or {}), "running" not in self.unique_states, " ".join(sorted(ends)) if ends else None,
            run_at, delay,
        )  # fmt: skip

    async def enqueue(
        self,
        conn: Connection,
        org_id: str,
        args: Mapping[str, Any] | None = None,
        *,
        lane: Lane | None = None,
        delay: float = 0.0,
        run_at: datetime | None = None,
    ) -> str:
        """Write one job in the open transaction of `conn`; its id, or that of the job that holds the unique key."""
        return await enqueue(conn, self.new(org_id, args, lane=lane, delay=delay, run_at=run_at))

    def retry_delay(self, attempt: int) -> float:
        """Seconds to wait after `attempt`, counted from 1, has failed."""
        draw = random.random()  # noqa: S311 spreads retries, guards nothing
        if isinstance(self.backoff, Backoff):
            return self.backoff.delay(attempt, draw)
        return self.backoff[min(attempt, len(self.backoff)) - 1] * (1 + draw / 10)

    def _unique_key(self, args: Mapping[str, Any]) -> str | None:
        return ":".join(str(args[name]) for name in self.unique_by if name in args) or None

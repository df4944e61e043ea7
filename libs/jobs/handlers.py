"""What a service's worker runs: a handler for each kind of job, the limits of its queues, its schedules."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from libs.clock import utcnow
from libs.jobs.context import JobContext
from libs.jobs.kind import JobKind
from libs.jobs.queues import QueuePolicy, Rate

Handler = Callable[[JobContext], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job made at every tick of a cron expression. After a gap (no worker ran), `catch_up` says whether the
    missed ticks make no job, one for the latest, or one each. Its jobs belong to no organization (org_id '')."""

    name: str
    cron: str
    kind: JobKind
    tz: str = "UTC"
    catch_up: str = "one"
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.catch_up not in ("none", "one", "all"):
            raise ValueError("catch_up is none, one or all")
        CronSim(self.cron, utcnow().astimezone(ZoneInfo(self.tz)))


class Handlers:
    """Filled once at start by services/<svc>/jobs.py, then read by the worker."""

    def __init__(self) -> None:
        self.kinds: dict[str, tuple[JobKind, Handler]] = {}
        self.queues: dict[str, QueuePolicy] = {}
        self.schedules: dict[str, Schedule] = {}

    def add(self, kind: JobKind, fn: Handler) -> None:
        """Run jobs of this kind with `fn`: a coroutine function that may run twice for one job, and whose effect in
        the schema is written inside ctx.finish(). What it returns is the job's result."""
        if kind.name in self.kinds:
            raise ValueError(f"two handlers for {kind.name}")
        self.kinds[kind.name] = (kind, fn)
        self.queues.setdefault(kind.queue, QueuePolicy(kind.queue))

    def queue(
        self,
        name: str,
        *,
        max_running: int | None = None,
        max_running_per_org: int | None = None,
        rate: Rate | None = None,
        rate_per_org: Rate | None = None,
        keep_completed: int = 100,
        keep_failed: int = 500,
    ) -> None:
        """Limits of a queue over all instances, and how many finished jobs stay readable."""
        self.queues[name] = QueuePolicy(
            name, max_running, max_running_per_org, rate, rate_per_org, keep_completed, keep_failed
        )

    def cron(
        self,
        name: str,
        cron: str,
        kind: JobKind,
        *,
        tz: str = "UTC",
        catch_up: str = "one",
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a job of `kind` at each tick of the expression in the time zone, one over all instances."""
        self.schedules[name] = Schedule(name, cron, kind, tz, catch_up, dict(args or {}))

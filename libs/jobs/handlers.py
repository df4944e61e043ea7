"""What a service can do: its kinds of jobs with their handlers and policies, its queues' limits, its schedules."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from libs.clock import utcnow
from libs.jobs.context import JobContext
from libs.jobs.kind import JobPolicy, Lane, QueuePolicy, Rate

Handler = Callable[[JobContext], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job made at every tick of a cron expression. After a gap (nobody ran), `catch_up` says whether the missed
    ticks make no job, one for the latest, or one each. Its jobs belong to no organisation (org_id '')."""

    name: str
    cron: str
    kind: str
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
        self.kinds: dict[str, tuple[Handler, JobPolicy]] = {}
        self.queues: dict[str, QueuePolicy] = {}
        self.schedules: dict[str, Schedule] = {}

    def add(self, kind: str, fn: Handler, policy: JobPolicy | None = None) -> None:
        """Run jobs of this kind with `fn`: a coroutine function that may run twice for one job, and whose effect in
        the schema is written inside ctx.finish(). What it returns is the job's result."""
        if kind in self.kinds:
            raise ValueError(f"two handlers for {kind}")
        policy = policy or JobPolicy()
        self.kinds[kind] = (fn, policy)
        self.queues.setdefault(policy.queue, QueuePolicy(policy.queue))

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
        kind: str,
        *,
        tz: str = "UTC",
        catch_up: str = "one",
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a job of `kind` at each tick of the expression in the time zone, one over all instances."""
        self.schedules[name] = Schedule(name, cron, kind, tz, catch_up, dict(args or {}))

    def policy_of(self, kind: str) -> JobPolicy:
        return self.kinds[kind][1]

    def lane_of(self, kind: str) -> Lane:
        return Lane.of(self.policy_of(kind).lane)

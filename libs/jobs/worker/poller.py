"""When to poll a queue: at once when woken, every 100 ms while it is busy, every 1 to 4 s while it is idle.

It must not know how a claim works (libs.jobs.store.claims) or what happens to the jobs.
"""

from dataclasses import dataclass

from libs.clock import monotonic
from libs.jobs.job import Job
from libs.jobs.store.claims import Claimer

# Seconds between polls of a queue that had jobs lately. It bounds the delay of a lost wake-up under load.
BUSY_POLL_SECONDS = 0.1
# Seconds between polls of the idle queues, at first. They bound the delay of a lost wake-up; a poll is one statement
# for all queues.
IDLE_POLL_SECONDS = 1.0
# Seconds between them when several in a row found nothing.
LONGEST_POLL_SECONDS = 4.0
# Seconds after the last job for which a queue counts as busy.
BUSY_SECONDS = 2.0
# Seconds that a wake-up waits for others under load. Longer: fewer and larger claims, later starts.
GATHER_SECONDS = 0.01
# Jobs in the last claim from which wake-ups are gathered; below it each job starts at once.
GATHER_ABOVE = 8


@dataclass(slots=True)
class Poller:
    """One queue as one worker sees it: when to claim from it again."""

    claimer: Claimer
    ask_at: float = 0.0
    not_before: float = 0.0
    busy_until: float = 0.0
    woken: bool = False
    idle_poll: float = IDLE_POLL_SECONDS
    flooded: bool = False

    @property
    def limited(self) -> bool:
        """A job of the queue may have a caller that waits for its end."""
        return self.claimer.limited

    @property
    def idle(self) -> bool:
        """Nothing says that the queue has a job: it is only its time to be polled."""
        return not self.woken and not self.flooded and monotonic() >= self.busy_until and not self.claimer.retry_in

    def rest(self) -> None:
        """Nothing waits: ask again after the idle time, unless a wake-up came meanwhile."""
        if not self.woken:
            self.ask_at = monotonic() + self.idle_poll
            self.idle_poll = min(LONGEST_POLL_SECONDS, self.idle_poll * 2)

    def ask_now(self) -> None:
        """Poll at once; under load a moment later, because a claim of many jobs costs about as much as one of few."""
        self.woken = True
        self.idle_poll = IDLE_POLL_SECONDS
        self.ask_at = min(self.ask_at, self.not_before)

    async def claim(self, wanted: int, *, suspect: bool) -> list[Job]:
        self.woken = False
        self.idle_poll = IDLE_POLL_SECONDS
        jobs = await self.claimer.claim(wanted, suspect=suspect)
        now = monotonic()
        self.busy_until = now + BUSY_SECONDS if jobs else self.busy_until
        self.not_before = now + GATHER_SECONDS if len(jobs) >= GATHER_ABOVE else now
        self.flooded = bool(jobs) and not self.claimer.drained
        if self.flooded:
            self.ask_at = now
        else:
            wait = BUSY_POLL_SECONDS if now < self.busy_until else IDLE_POLL_SECONDS
            self.ask_at = now + min(wait, self.claimer.retry_in or wait)
        if self.woken:  # during the claim, perhaps too late for it
            self.ask_now()
        return jobs

"""The metrics of one kind of job, looked up once: finding a labelled metric costs more than counting."""

import functools
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from libs.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Meters:
    enqueued: Counter
    started: Counter
    finished: Counter
    failed: Counter
    retried: Counter
    stalled: Counter
    wait: Histogram
    run: Histogram

    def count(self, outcome: str, jobs: int) -> None:
        """So many attempts ended so; a snooze and a release are no retry."""
        counters = {"completed": self.finished, "failed": self.failed, "retried": self.retried}
        if outcome in counters:
            counters[outcome].inc(jobs)


@functools.cache
def meters_of(queue: str, kind: str) -> Meters:
    """Queues and kinds are declared in code, so there are few."""
    return Meters(
        enqueued=metrics.JOBS_ENQUEUED.labels(queue, kind),
        started=metrics.JOBS_STARTED.labels(queue, kind),
        finished=metrics.JOBS_FINISHED.labels(queue, kind),
        failed=metrics.JOBS_FAILED.labels(queue, kind),
        retried=metrics.JOBS_RETRIED.labels(queue, kind),
        stalled=metrics.JOBS_STALLED.labels(queue, kind),
        wait=metrics.JOB_WAIT_SECONDS.labels(queue, kind),
        run=metrics.JOB_RUN_SECONDS.labels(queue, kind),
    )

"""Jobs: a PostgreSQL row is the job, NATS only says that there is one (docs/jobs.md).

Enqueue belongs to the caller's transaction; an acknowledged job is never lost; its effect in the schema happens once,
because finishing is fenced and shares the effect's transaction. Services declare the kinds of jobs; none is named here.
"""

from libs.jobs.context import JobContext
from libs.jobs.enqueue import Enqueuer, enqueue_many
from libs.jobs.errors import Cancel, Discard, LeaseLost, RetryAfter, Snooze
from libs.jobs.handlers import Handlers
from libs.jobs.job import ENDS, LIVE, WAITING, Job, Lane, NewJob
from libs.jobs.kind import Backoff, JobKind
from libs.jobs.queues import QueuePolicy, Rate
from libs.jobs.worker.worker import Worker

__all__ = [
    "ENDS",
    "LIVE",
    "WAITING",
    "Backoff",
    "Cancel",
    "Discard",
    "Enqueuer",
    "Handlers",
    "Job",
    "JobContext",
    "JobKind",
    "Lane",
    "LeaseLost",
    "NewJob",
    "QueuePolicy",
    "Rate",
    "RetryAfter",
    "Snooze",
    "Worker",
    "enqueue_many",
]

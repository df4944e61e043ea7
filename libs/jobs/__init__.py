"""Jobs: a PostgreSQL row is the job, NATS only says that there is one (docs/jobs.md).

Enqueue belongs to the caller's transaction; an acknowledged job is never lost; its effect in the schema happens once,
because finishing is fenced and shares the effect's transaction. Names no kind of job: those are the services'.
"""

from libs.jobs.child import ChildCrashed
from libs.jobs.context import JobContext
from libs.jobs.enqueue import NewJob, enqueue, enqueue_alone, enqueue_many
from libs.jobs.errors import Cancel, Discard, LeaseLost, RetryAfter, Snooze
from libs.jobs.handlers import Handlers
from libs.jobs.job import Job
from libs.jobs.kind import ENDS, LIVE, WAITING, Backoff, JobPolicy, Lane, QueuePolicy, Rate
from libs.jobs.worker.worker import Worker

__all__ = [
    "ENDS",
    "LIVE",
    "WAITING",
    "Backoff",
    "Cancel",
    "ChildCrashed",
    "Discard",
    "Handlers",
    "Job",
    "JobContext",
    "JobPolicy",
    "Lane",
    "LeaseLost",
    "NewJob",
    "QueuePolicy",
    "Rate",
    "RetryAfter",
    "Snooze",
    "Worker",
    "enqueue",
    "enqueue_alone",
    "enqueue_many",
]

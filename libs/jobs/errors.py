"""What a handler may raise to end its attempt, and the error of a lost lease.

Any other exception is a failed attempt, retried by the kind's policy; an AppError keeps its reason as the error code.
"""

from libs.errors import Aborted, AppError


class JobSignal(Exception):
    """How an attempt ends otherwise than by success or by a fault."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class RetryAfter(JobSignal):
    """This attempt failed; try again no sooner than in `seconds` (a provider's Retry-After). Counts as an attempt."""

    def __init__(
        self, seconds: float, reason: str = "retry_later", detail: str = "The job will be tried again."
    ) -> None:
        super().__init__(reason, detail)
        self.seconds = seconds


class Snooze(JobSignal):
    """Run again in `seconds`, without charging an attempt."""

    def __init__(self, seconds: float, reason: str = "snoozed") -> None:
        super().__init__(reason, "The job waits.")
        self.seconds = seconds


class Discard(JobSignal):
    """It can never succeed: fail now, without further attempts."""

    def __init__(self, code: str, detail: str = "The job cannot succeed and was discarded.") -> None:
        super().__init__(code, detail)


class Cancel(JobSignal):
    """It is no longer wanted."""

    def __init__(self, reason: str = "cancelled") -> None:
        super().__init__(reason, "The job was cancelled.")


class LeaseLost(Aborted):
    """Another worker has the job (or it ended): nothing this one writes for it may commit."""

    def __init__(self) -> None:
        super().__init__("job_lease_lost", "The job was taken over by another worker.")


def describe(error: BaseException) -> tuple[str, str]:
    """(code, message) as the job shows it. Texts of unknown exceptions stay in the log, because they can contain
    data."""
    if isinstance(error, JobSignal):
        return error.code, error.message
    if isinstance(error, AppError):
        return error.reason, error.detail
    return "unexpected_error", "The job failed unexpectedly; its worker's log has the cause."

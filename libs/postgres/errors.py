"""What PostgreSQL's failures mean to a caller: outage, timeout, conflict, full disk.

Failures that say nothing about the request are translated, and values that do not fit; a broken constraint crosses
untouched, because only the storage that wrote the statement knows what it means.
"""

import asyncpg

from libs.context import remaining_seconds
from libs.errors import Aborted, AppError, DeadlineExceeded, InvalidArgument, Unavailable

# Seconds that a caller should wait after an outage of the database.
RETRY_SECONDS = 1.0

# For libraries that use this one. A service's storage imports asyncpg itself.
UniqueViolation = asyncpg.UniqueViolationError

_OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCatalogNameError,
    OSError,
)
_BUSY = (asyncpg.TooManyConnectionsError, asyncpg.OutOfMemoryError)
_FULL = (asyncpg.DiskFullError,)
_CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
# A value that validation accepted and no column or function takes: a 422 instead of a 500.
_UNFIT = (asyncpg.DataError, asyncpg.StatementTooComplexError, asyncpg.ProgramLimitExceededError)
# A migration changed what a prepared statement returns, or the transaction idled past its limit: begin again.
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.IdleInTransactionSessionTimeoutError)


def unavailable() -> AppError:
    return Unavailable("database_unavailable", "The database does not answer. Try again.", retry_after=RETRY_SECONDS)


def busy() -> AppError:
    return Unavailable("database_busy", "All database connections are in use. Try again.", retry_after=RETRY_SECONDS)


def timed_out() -> AppError:
    """A statement ran out of time: the caller's deadline if that has passed, else the statement's own limit."""
    remaining = remaining_seconds()
    if remaining is not None and remaining <= 0:
        return DeadlineExceeded("deadline_exceeded", "The time for this call ran out before the database answered.")
    return Unavailable("database_timeout", "The database took too long. Try again.", retry_after=RETRY_SECONDS)


def translate(error: BaseException) -> AppError | None:
    """The AppError that stands for a failure of the database itself, None for an error of the statement."""
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return timed_out()
    if isinstance(error, _BUSY):
        return busy()
    if isinstance(error, _FULL):
        return Unavailable("storage_full", "The database has no room left. Try again later.", retry_after=30.0)
    if isinstance(error, _CONFLICTS):
        return Aborted("concurrent_update", "Another request changed the same resource. Try again.", retry_after=0.1)
    if isinstance(error, _OUTAGES) or _lost(error):
        return unavailable()
    if isinstance(error, _UNFIT) and not isinstance(error, asyncpg.DivisionByZeroError):  # that one is our own fault
        return InvalidArgument("value_out_of_range", "A value is larger, longer or odder than can be kept. Correct it.")
    if isinstance(error, _STALE):
        return Unavailable("database_unavailable", "The database is being changed. Try again.", retry_after=0.1)
    return None


def _lost(error: BaseException) -> bool:
    """asyncpg reports a connection that died between two statements as a misuse of it."""
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)

"""What a failure of PostgreSQL means to a caller."""

import asyncpg
import pytest

from libs.errors import Aborted, Unavailable
from libs.postgres.errors import translate


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (ConnectionRefusedError(), Unavailable, "database_unavailable"),
        (asyncpg.ConnectionDoesNotExistError("gone"), Unavailable, "database_unavailable"),
        (asyncpg.InterfaceError("connection is closed"), Unavailable, "database_unavailable"),
        (asyncpg.AdminShutdownError("stop"), Unavailable, "database_unavailable"),
        (asyncpg.CannotConnectNowError("starting up"), Unavailable, "database_unavailable"),
        (asyncpg.ReadOnlySQLTransactionError("standby"), Unavailable, "database_unavailable"),
        (asyncpg.InvalidCachedStatementError("migrated"), Unavailable, "database_unavailable"),
        (asyncpg.TooManyConnectionsError("full"), Unavailable, "database_busy"),
        (asyncpg.DiskFullError("full"), Unavailable, "storage_full"),
        (TimeoutError(), Unavailable, "database_timeout"),
        (asyncpg.QueryCanceledError("statement timeout"), Unavailable, "database_timeout"),
        (asyncpg.DeadlockDetectedError("deadlock"), Aborted, "concurrent_update"),
        (asyncpg.SerializationError("again"), Aborted, "concurrent_update"),
    ],
)
def test_failures_of_the_database_are_told_with_a_time_to_return(
    error: Exception, kind: type[Exception], reason: str
) -> None:
    told = translate(error)
    assert isinstance(told, kind)
    assert told is not None
    assert told.reason == reason
    assert told.retry_after


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("twice"),
        asyncpg.CheckViolationError("negative"),
        asyncpg.UndefinedTableError("typo"),
        asyncpg.InsufficientPrivilegeError("no"),
        asyncpg.InterfaceError("another operation is in progress"),
        ValueError("not ours"),
    ],
)
def test_errors_of_a_statement_are_left_to_who_wrote_it(error: Exception) -> None:
    assert translate(error) is None

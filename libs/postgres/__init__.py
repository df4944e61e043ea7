"""PostgreSQL for every service: pools, tenant transactions, migrations, and the tables that hold promises.

The only room beside services' storage that knows asyncpg. See docs/events.md and docs/adr for why PostgreSQL holds
what was acknowledged.
"""

from libs.postgres.connection import (
    Connection,
    Record,
    StatementCounter,
    after_commit,
    announce_after_commit,
    count_statements,
)
from libs.postgres.database import Database, PoolStats
from libs.postgres.errors import UniqueViolation

__all__ = [
    "Connection",
    "Database",
    "PoolStats",
    "Record",
    "StatementCounter",
    "UniqueViolation",
    "after_commit",
    "announce_after_commit",
    "count_statements",
]

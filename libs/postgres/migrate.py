"""Migrations of one service's schema: engine tables, the job tables, then the service's own, forward only.

`migrate` may run in several processes and several releases at once: one works, the others wait and find it done; an
older release leaves what a newer one applied. It must not know what a migration is about.
"""

import asyncio
import contextlib
import functools
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from libs.config import ServiceSettings
from libs.postgres.roles import Roles, retry_contention

LOCK_TIMEOUT = "5s"
# Tries of a migration that does not get its lock: about a minute with the backoff.
LOCK_TRIES = 12
# Seconds for one migration file. Backfills of large tables take minutes.
STATEMENT_SECONDS = 600.0
# Seconds between looks whether another process has migrated.
MIGRATED_POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)
# What a server that starts, fails over or is out of connections says; it may answer a second later.
_NOT_YET = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
            asyncpg.TooManyConnectionsError)  # fmt: skip
_ENGINE = Path(__file__).parent / "engine"
_JOBS = Path(__file__).parent.parent / "jobs" / "store" / "migrations"
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_DIRECTIVE = re.compile(r"^-- migrate: (as system|no transaction)\s*$", re.MULTILINE)

_HISTORY = """
create table if not exists schema_migration (
    id text collate "C" primary key,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp(),
    release text not null default ''
)"""


class MigrationError(Exception):
    """The schema cannot be brought to this release's state; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `-- migrate: as system` on a line of its own runs it under the system role (backfills that must see
    rows behind row level security), `-- migrate: no transaction` outside a transaction (one statement only)."""

    id: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def directives(self) -> set[str]:
        return set(_DIRECTIVE.findall(self.sql))


def read_migrations(folder: Path, prefix: str = "") -> list[Migration]:
    """The numbered files of a folder in order; refuses a name out of form and a number used twice."""
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        if not _NAME.fullmatch(path.name):
            raise MigrationError(f"{path.name}: name migrations 0001_verb_noun.sql")
        if path.name[:4] in found:
            raise MigrationError(f"{path.name}: the number {path.name[:4]} is used twice")
        found[path.name[:4]] = Migration(prefix + path.stem, path.read_text(encoding="utf-8"))
    return list(found.values())


def plan(migrations: Path) -> list[Migration]:
    """Everything a service's schema consists of, in the order in which it is applied."""
    return [*read_migrations(_ENGINE, "engine/"), *read_migrations(_JOBS, "jobs/"), *read_migrations(migrations)]


async def migrate(settings: ServiceSettings, service: str, migrations: Path, patience: float = 0.0) -> list[str]:
    """Bring the schema of `service` to this release; the ids of the migrations applied now, often none.

    Uses DATABASE_ADMIN_URL (a superuser, or a role with CREATEROLE that owns the database). A server that does not
    answer yet is asked again for `patience` seconds. Raises MigrationError when an applied file has changed since."""
    if not settings.database_admin_url:
        raise MigrationError("set DATABASE_ADMIN_URL: migrate creates roles and schemas")
    steps = plan(migrations)
    admin = await _connect(settings, service, time.monotonic() + patience)
    try:
        roles = Roles(admin, service)
        # What all schemas share (the database's grants, extensions) is changed by one at a time; then each schema.
        async with _locked(admin, "migrate"):
            await roles.ensure(settings.app_password, settings.system_password)
        async with _locked(admin, f"migrate.{service}"):
            return await _apply(admin, roles, steps, settings.release)
    finally:
        await admin.close(timeout=settings.connect_timeout)


async def _connect(settings: ServiceSettings, service: str, until: float) -> Any:
    """A session of the administrator; a refused login fails at once."""
    while True:
        try:
            return await asyncpg.connect(
                settings.database_admin_url, timeout=settings.connect_timeout, command_timeout=STATEMENT_SECONDS,
                statement_cache_size=0, server_settings={"application_name": f"{service}-migrate"},
            )  # fmt: skip
        except _NOT_YET as error:
            if time.monotonic() >= until:
                raise
            logger.warning("the database does not answer yet: %s", type(error).__name__)
        await asyncio.sleep(MIGRATED_POLL_SECONDS)


async def await_migrated(settings: ServiceSettings, service: str, migrations: Path) -> None:
    """Return when every migration of this release is applied; an outage or a missing role only makes it wait."""
    wanted = {step.id for step in plan(migrations)}
    while missing := wanted - await _applied(settings, service):
        logger.info("waiting for migrations", extra={"schema": service, "missing": len(missing)})
        await asyncio.sleep(MIGRATED_POLL_SECONDS)


async def _applied(settings: ServiceSettings, service: str) -> set[str]:
    try:
        connection = await asyncpg.connect(
            settings.database_direct_url or settings.database_system_url, timeout=settings.connect_timeout
        )
        try:
            return {row["id"] for row in await connection.fetch(f"select id from {service}.schema_migration")}
        finally:
            await connection.close(timeout=settings.connect_timeout)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        logger.warning("the schema cannot be read yet: %s", type(error).__name__)
        return set()


@contextlib.asynccontextmanager
async def _locked(admin: Any, what: str) -> AsyncIterator[None]:
    """An advisory lock of the session; it also ends with the connection."""
    await admin.fetchval("select pg_advisory_lock(hashtextextended($1, 0))", what)
    try:
        yield
    finally:
        if not admin.is_closed():
            await admin.fetchval("select pg_advisory_unlock(hashtextextended($1, 0))", what)


async def _apply(admin: Any, roles: Roles, steps: list[Migration], release: str) -> list[str]:
    async with roles.acting_as(roles.owner):
        await admin.execute(_HISTORY)
        await admin.execute(f"revoke insert, update, delete on schema_migration from {roles.app}, {roles.system}")
        known = {row["id"]: row["checksum"] for row in await admin.fetch("select id, checksum from schema_migration")}
    pending = list(_pending(steps, known))
    for step in pending:
        await retry_contention(functools.partial(_run, admin, roles, step, release), LOCK_TRIES)
        logger.info("migration applied", extra={"schema": roles.service, "migration": step.id})
    return [step.id for step in pending]


def _pending(steps: list[Migration], known: dict[str, str]) -> Iterator[Migration]:
    for step in steps:
        if step.id not in known:
            yield step
        elif known[step.id] != step.checksum:
            raise MigrationError(f"{step.id} has changed since it was applied: restore it and add a new migration")


async def _run(admin: Any, roles: Roles, step: Migration, release: str) -> None:
    role = roles.system if "as system" in step.directives else roles.owner
    record = "insert into schema_migration (id, checksum, release) values ($1, $2, $3)"
    if "no transaction" in step.directives:
        async with roles.acting_as(role):
            await admin.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
            await admin.execute(step.sql)
            await admin.execute("reset lock_timeout")
    async with roles.acting_as(roles.owner), admin.transaction():
        if "no transaction" not in step.directives:
            await admin.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'; set local role {role}")
            await admin.execute(step.sql)
            await admin.execute(f"set local role {roles.owner}")
        await admin.execute(record, step.id, step.checksum, release)

"""The three roles of a service's schema, their grants and what they carry: only `migrate` uses this.

<svc>_owner cannot log in and owns the schema; <svc>_app serves tenants; <svc>_system serves what has no tenant yet or
all of them. None may look into another schema, none bypasses row level security.
"""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

EXTENSIONS = ("vector", "pg_trgm", "unaccent", "btree_gin", "pg_stat_statements")

logger = logging.getLogger(__name__)
_SERVICE = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
# Roles and settings are rows of catalogs that all databases share; two writers of one row collide.
_CONTENTION = (asyncpg.InternalServerError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
# Settings that a server does not know are skipped.
_REFUSED = (asyncpg.PostgresSyntaxError, asyncpg.CantChangeRuntimeParamError, asyncpg.UndefinedObjectError,
            asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError)  # fmt: skip


async def retry_contention(act: Callable[[], Awaitable[None]], tries: int) -> None:
    """Run `act` again after a lock timeout or a collision on a shared catalog, up to `tries` times."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_contention),
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(multiplier=0.1, max=3.0),
        reraise=True,
    )
    await retrying(act)


def _is_contention(error: BaseException) -> bool:
    internal = isinstance(error, asyncpg.InternalServerError)
    return isinstance(error, _CONTENTION) and (not internal or "concurrently" in str(error))


class Roles:
    """`admin` is a superuser's connection, or that of a CREATEROLE role which owns the database."""

    def __init__(self, admin: Any, service: str) -> None:
        if not _SERVICE.fullmatch(service):
            raise ValueError("a service's name is lower case letters, digits and underscores")
        self._admin = admin
        self.service = service
        self.owner, self.app, self.system = f"{service}_owner", f"{service}_app", f"{service}_system"

    async def ensure(self, app_password: str | None, system_password: str | None) -> None:
        """Create or complete roles, schema, extensions, grants and settings; idempotent."""
        await self._create_roles()
        await self._set_password(self.app, app_password)
        await self._set_password(self.system, system_password)
        await self._restrict_database()
        await self._extensions()
        await self._schema()
        await self._role_settings()

    @contextlib.asynccontextmanager
    async def acting_as(self, role: str) -> AsyncIterator[None]:
        """Run statements as `role` with the schema's search path; the administrator again afterwards."""
        await self._admin.execute(f"set role {role}; set search_path = {self.service}, extensions")
        try:
            yield
        finally:
            await self._admin.execute("reset role; reset search_path")

    async def _create_roles(self) -> None:
        for role, login in ((self.owner, "nologin"), (self.app, "login"), (self.system, "login")):
            if not await self._admin.fetchval("select 1 from pg_roles where rolname = $1", role):
                with contextlib.suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                    await self._admin.execute(f"create role {role} {login}")
        superuser = await self._admin.fetchval("select rolsuper from pg_roles where rolname = current_user")
        for role in () if superuser else (self.owner, self.system):
            # A CREATEROLE administrator must belong to a role to act as it.
            if not await self._admin.fetchval("select pg_has_role(current_user, $1, 'member')", role) or (
                self._admin.get_server_version() >= (16, 0)
            ):
                await self._shared(f"grant {role} to current_user")

    async def _set_password(self, role: str, password: str | None) -> None:
        if password:
            # ALTER ROLE takes no parameters; format() quotes on the server.
            statement = await self._admin.fetchval(
                "select format('alter role %I password %L', $1::text, $2::text)", role, password
            )
            await self._shared(statement)

    async def _restrict_database(self) -> None:
        database = await self._quoted_database()
        await self._if_allowed(f"revoke all on database {database} from public")
        await self._if_allowed("revoke all on schema public from public")
        await self._shared(f"grant connect on database {database} to {self.app}, {self.system}")

    async def _extensions(self) -> None:
        """Those that the server has and this administrator may create; services ask pg_extension what is there."""
        await self._admin.execute("create schema if not exists extensions")
        await self._admin.execute("grant usage on schema extensions to public")
        available = await self._admin.fetch(
            "select name from pg_available_extensions where name = any($1) and installed_version is null",
            list(EXTENSIONS),
        )
        for row in available:
            await self._if_allowed(f"create extension if not exists {row['name']} schema extensions")

    async def _schema(self) -> None:
        await self._admin.execute(f"create schema if not exists {self.service} authorization {self.owner}")
        async with self.acting_as(self.owner):
            both = f"{self.app}, {self.system}"
            within = f"alter default privileges in schema {self.service}"
            for statement in (
                f"grant usage on schema {self.service} to {both}",
                f"{within} grant select, insert, update, delete on tables to {both}",
                f"{within} grant usage, select on sequences to {both}",
                "alter default privileges revoke execute on functions from public",
                f"{within} grant execute on functions to {both}",
            ):
                await self._shared(statement)

    async def _role_settings(self) -> None:
        database = await self._quoted_database()
        limits = {
            self.app: {"statement_timeout": "10s"},
            self.system: {"statement_timeout": "60s"},
        }
        for role, settings in limits.items():
            wanted = settings | {
                "search_path": f"{self.service}, extensions",
                # A process that freezes inside a transaction loses its locks.
                "idle_in_transaction_session_timeout": "10s",
                "jit": "off",  # a compile costs more than any of these queries
                "client_connection_check_interval": "1s",  # ends a statement soon after its client has disconnected
            }
            for name, value in wanted.items():
                value = value if name == "search_path" else f"'{value}'"
                await self._if_allowed(f"alter role {role} in database {database} set {name} = {value}")

    async def _quoted_database(self) -> str:
        name: str = await self._admin.fetchval("select quote_ident(current_database())")
        return name

    async def _shared(self, sql: str) -> None:
        async def act() -> None:
            await self._admin.execute(sql)

        await retry_contention(act, 20)

    async def _if_allowed(self, sql: str) -> None:
        try:
            await self._shared(sql)
        except _REFUSED as error:
            logger.warning("left out: %s (%s)", sql, error)

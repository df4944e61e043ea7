"""Organisations and users as rows."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from libs.errors import AlreadyExists, NotFound
from libs.postgres import Connection, Database, Record
from services.identity.domain.people import Organization, User
from services.identity.domain.scopes import Role

_ORGANIZATION = "g.org_id as organization_id, g.name, g.time_zone, g.version, g.created_at, g.updated_at"
_USER = (
    "u.org_id, u.id, u.email, u.first_name, u.last_name, u.role, u.version as user_version, "
    "u.created_at as user_created_at, u.updated_at as user_updated_at"
)
_GET_ORGANIZATION = f"select {_ORGANIZATION} from organization g where g.org_id = o.org"
_LOCK_ORGANIZATION = f"select {_ORGANIZATION} from organization g where g.org_id = $1 for update"
_GET_USER = (
    f"select {_USER}, {_ORGANIZATION} from app_user u join organization g on g.org_id = u.org_id "
    "where u.org_id = o.org and u.id = $2"
)
_BY_EMAIL = f"select {_USER}, u.password_hash from app_user u where u.email_key = $1"


@dataclass(frozen=True, slots=True)
class CurrentUser:
    user: User
    organization: Organization


class People:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def organization(self, org_id: str) -> Organization:
        row = await self._database.fetchrow(org_id, _GET_ORGANIZATION)
        if row is None:
            raise NotFound("organization_not_found", "No such organisation.")
        return _organization(row)

    async def lock_organization(self, conn: Connection, org_id: str) -> Organization:
        row = await conn.fetchrow(_LOCK_ORGANIZATION, org_id)
        if row is None:
            raise NotFound("organization_not_found", "No such organisation.")
        return _organization(row)

    async def current(self, org_id: str, user_id: str) -> CurrentUser:
        row = await self._database.fetchrow(org_id, _GET_USER, user_id)
        if row is None:
            raise NotFound("user_not_found", "No such user.")
        return CurrentUser(_user(row), _organization(row))

    async def by_email(self, email_key: str) -> User | None:
        """Across organisations, with the password's hash: for login alone."""
        row = await self._database.system_fetchrow(_BY_EMAIL, email_key)
        return None if row is None else _user(row, row["password_hash"])

    async def enter(self, conn: Connection, org_id: str) -> None:
        """Continue this transaction as the organization that it creates."""
        await conn.execute("select set_config('app.org', $1, true)", org_id)

    async def add_organization(self, conn: Connection, organization: Organization) -> None:
        await conn.execute(
            "insert into organization (org_id, name, time_zone, version, created_at, updated_at) "
            "values ($1, $2, $3, $4, $5, $6)",
            organization.id, organization.name, organization.time_zone, organization.version,
            organization.created_at, organization.updated_at,
        )  # fmt: skip

    async def save_organization(self, conn: Connection, organization: Organization) -> None:
        await conn.execute(
            "update organization g set name = $2, time_zone = $3, version = $4, updated_at = $5 where g.org_id = $1",
            organization.id, organization.name, organization.time_zone, organization.version, organization.updated_at,
        )  # fmt: skip

    async def add_user(self, conn: Connection, user: User, email_key: str) -> None:
        try:
            await conn.execute(
                "insert into app_user (org_id, id, email, email_key, first_name, last_name, role, password_hash, "
                "version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                user.org_id, user.id, user.email, email_key, user.first_name, user.last_name, user.role.value,
                user.password_hash, user.version, user.created_at, user.updated_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise AlreadyExists("email_taken", "A user with this e-mail address exists. Log in instead.") from None


def _organization(row: Record) -> Organization:
    return Organization(
        row["organization_id"], row["name"], row["time_zone"], row["created_at"], row["updated_at"], row["version"]
    )


def _user(row: Record, password_hash: str = "") -> User:
    return User(
        id=row["id"],
        org_id=row["org_id"],
        email=row["email"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
        created_at=row["user_created_at"],
        updated_at=row["user_updated_at"],
        password_hash=password_hash,
        version=row["user_version"],
    )

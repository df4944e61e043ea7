"""Organizations as rows, and the current user with its organization."""

from __future__ import annotations

from dataclasses import dataclass

from libs.errors import NotFound
from libs.postgres import Connection, Database
from services.identity.domain.people import Organization, User

from .rows import ORGANIZATION, USER, organization_of, user_of

_GET_ORGANIZATION = f"select {ORGANIZATION} from organization g where g.org_id = o.org"
_LOCK_ORGANIZATION = f"select {ORGANIZATION} from organization g where g.org_id = $1 for update"
_GET_USER = (
    f"select {USER}, {ORGANIZATION} from app_user u join organization g on g.org_id = u.org_id "
    "where u.org_id = o.org and u.id = $2"
)


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
            raise NotFound("organization_not_found", "No such organization.")
        return organization_of(row)

    async def lock_organization(self, conn: Connection, org_id: str) -> Organization:
        row = await conn.fetchrow(_LOCK_ORGANIZATION, org_id)
        if row is None:
            raise NotFound("organization_not_found", "No such organization.")
        return organization_of(row)

    async def organization_name(self, conn: Connection, org_id: str) -> str:
        return str(await conn.fetchval("select g.name from organization g where g.org_id = $1", org_id))

    async def current(self, org_id: str, user_id: str) -> CurrentUser:
        """The user with the organization that it belongs to."""
        row = await self._database.fetchrow(org_id, _GET_USER, user_id)
        if row is None:
            raise NotFound("user_not_found", "No such user.")
        return CurrentUser(user_of(row), organization_of(row))

    async def add_organization(self, conn: Connection, organization: Organization) -> None:
        """Goes on in this transaction as the organization."""
        await conn.enter(organization.id)
        await conn.execute(
            "insert into organization (org_id, name, time_zone, version, created_at, updated_at, parent_id, status) "
            "values ($1, $2, $3, $4, $5, $6, nullif($7, ''), $8)",
            organization.id, organization.name, organization.time_zone, organization.version,
            organization.created_at, organization.updated_at, organization.parent_id, organization.status.value,
        )  # fmt: skip

    async def save_organization(self, conn: Connection, organization: Organization) -> None:
        await conn.execute(
            "update organization g set name = $2, time_zone = $3, version = $4, updated_at = $5, status = $6 "
            "where g.org_id = $1",
            organization.id, organization.name, organization.time_zone, organization.version, organization.updated_at,
            organization.status.value,
        )  # fmt: skip

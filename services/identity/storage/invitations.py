"""Invitations as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from libs.errors import AlreadyExists, NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.identity.domain.invitations import Invitation, Status
from services.identity.domain.people import email_key
from services.identity.domain.scopes import Role

INVITATION_LIST = ListRules(sorts={"createdAt": "i.created_at"})
_COLUMNS = "i.org_id, i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at, i.accepted_at, i.revoked_at"
_LISTING = Listing(_COLUMNS, "invitation i", INVITATION_LIST, tie="i.id", org="i.org_id", created="i.created_at")
_GET = f"select {_COLUMNS} from invitation i where i.org_id = o.org and i.id = $2"
_LOCK = f"select {_COLUMNS} from invitation i where i.org_id = $1 and i.id = $2 for update"
_WAITING = "i.accepted_at is null and i.revoked_at is null"
# In an organization that is not active no one invites any more.
_OFFERED = f"""
select {_COLUMNS}, g.name as organization_name, u.role as inviter_role
from invitation i join organization g on g.org_id = i.org_id
left join app_user u on g.status = 'active' and u.org_id in (i.org_id, g.parent_id) and u.id = i.invited_by
where i.id = $1"""
_TAKE = f"""
update invitation i set accepted_at = $3
where i.org_id = $1 and i.id = $2 and {_WAITING} and i.expires_at > $3 returning i.id"""
_CONDITIONS = {
    Status.PENDING: f"{_WAITING} and i.expires_at > now()",
    Status.ACCEPTED: "i.accepted_at is not null",
    Status.REVOKED: "i.revoked_at is not null",
    Status.EXPIRED: f"{_WAITING} and i.expires_at <= now()",
}
_SWEEP = """
delete from invitation d where (d.org_id, d.id) in (
    select i.org_id, i.id from invitation i where i.expires_at < $1 order by i.expires_at limit 10000
)"""


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation as the holder of its link sees it; `inviter` is None once who invited is gone."""

    invitation: Invitation
    organization_name: str
    inviter: Role | None


class Invitations:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, request: PageRequest, status: Status | None) -> Page[Invitation]:
        wanted: list[Filter] = [] if status is None else [(_CONDITIONS[status], None)]
        scope = ("invitations", status or "")
        page = await fetch_page(self._database, org_id, _LISTING, request, wanted, self._cursors, scope)
        return page.map(_invitation)

    async def get(self, org_id: str, invitation_id: str) -> Invitation:
        row = await self._database.fetchrow(org_id, _GET, invitation_id) if is_id(invitation_id, "ivt") else None
        return _found(row)

    async def lock(self, conn: Connection, org_id: str, invitation_id: str) -> Invitation:
        return _found(await conn.fetchrow(_LOCK, org_id, invitation_id) if is_id(invitation_id, "ivt") else None)

    async def offer(self, invitation_id: str) -> Offer | None:
        """Whatever its state, because a repeated acceptance gets its stored answer; a link names no organization."""
        row = await self._database.system_fetchrow(_OFFERED, invitation_id)
        if row is None:
            return None
        inviter = Role(row["inviter_role"]) if row["inviter_role"] else None
        return Offer(_invitation(row), row["organization_name"], inviter)

    async def add(self, conn: Connection, invitation: Invitation) -> None:
        """One that expired for the same address makes room."""
        key = email_key(invitation.email)
        await conn.execute(
            f"update invitation i set revoked_at = $3 where i.org_id = $1 and i.email_key = $2 and {_WAITING} "
            "and i.expires_at <= $3",
            invitation.org_id, key, invitation.created_at,
        )  # fmt: skip
        try:
            await conn.execute(
                "insert into invitation (org_id, id, email, email_key, role, invited_by, created_at, expires_at) "
                "values ($1, $2, $3, $4, $5, $6, $7, $8)",
                invitation.org_id, invitation.id, invitation.email, key, invitation.role.value, invitation.invited_by,
                invitation.created_at, invitation.expires_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(
                "invitation_exists", "This address has an invitation that waits. Send it again, or revoke it first."
            ) from None

    async def prolong(self, conn: Connection, invitation: Invitation) -> None:
        sql = "update invitation i set expires_at = $3 where i.org_id = $1 and i.id = $2"
        await conn.execute(sql, invitation.org_id, invitation.id, invitation.expires_at)

    async def revoke(self, conn: Connection, invitation: Invitation, now: datetime) -> None:
        sql = "update invitation i set revoked_at = $3 where i.org_id = $1 and i.id = $2"
        await conn.execute(sql, invitation.org_id, invitation.id, now)

    async def take(self, conn: Connection, invitation: Invitation, now: datetime) -> bool:
        """Whether it waited until now; it does not any more."""
        return await conn.fetchval(_TAKE, invitation.org_id, invitation.id, now) is not None

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete those that expired before this, of every organization; at most 10,000 a call."""
        return await conn.change(_SWEEP, before)


def _found(row: Record | None) -> Invitation:
    if row is None:
        raise NotFound("invitation_not_found", "No such invitation.")
    return _invitation(row)


def _invitation(row: Record) -> Invitation:
    return Invitation(
        id=row["id"],
        org_id=row["org_id"],
        email=row["email"],
        role=Role(row["role"]),
        invited_by=row["invited_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        accepted_at=row["accepted_at"],
        revoked_at=row["revoked_at"],
    )

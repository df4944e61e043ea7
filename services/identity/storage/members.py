"""The users of an organization as rows."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from libs.errors import Aborted, AlreadyExists, NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.identity.domain.people import User
from services.identity.domain.scopes import Role

from .rows import USER, user_of

USER_LIST = ListRules(sorts={"createdAt": "u.created_at", "email": "u.email"})
_LISTING = Listing(USER, "app_user u", USER_LIST, tie="u.id", org="u.org_id", created="u.created_at")
_GET = f"select {USER} from app_user u where u.org_id = o.org and u.id = $2"
_LOCK = f"select {USER} from app_user u where u.org_id = $1 and u.id = $2 for update"


class Members:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, request: PageRequest, role: Role | None, email_key: str) -> Page[User]:
        """The users, of one role and of one address where these are given."""
        wanted: list[Filter] = []
        if role is not None:
            wanted.append(("u.role = {}", role.value))
        if email_key:
            wanted.append(("u.email_key = {}", email_key))
        page = await fetch_page(self._database, org_id, _LISTING, request, wanted, self._cursors, ("users",))
        return page.map(user_of)

    async def get(self, org_id: str, user_id: str) -> User:
        return _found(await self._database.fetchrow(org_id, _GET, user_id) if is_id(user_id, "usr") else None)

    async def lock(self, conn: Connection, org_id: str, user_id: str) -> User:
        return _found(await conn.fetchrow(_LOCK, org_id, user_id) if is_id(user_id, "usr") else None)

    async def has_other_owner(self, conn: Connection, user: User) -> bool:
        """Whether the organization keeps an owner without this user; its row must be locked, so that two owners who
        leave at once do not both see the other."""
        sql = "select exists (select 1 from app_user u where u.org_id = $1 and u.role = 'owner' and u.id <> $2)"
        return bool(await conn.fetchval(sql, user.org_id, user.id))

    async def role(self, conn: Connection, org_id: str, user_id: str) -> Role | None:
        """The role of a user of the organization or, in a customer of an agency, of the agency; None once it is gone.
        Goes on as the organization."""
        sql = "select u.role from app_user u where u.org_id = $1 and u.id = $2"
        found = await conn.fetchval(sql, org_id, user_id)
        parent = "select g.parent_id from organization g where g.org_id = $1"
        if not found and (agency := await conn.fetchval(parent, org_id)):
            await conn.enter(agency)
            found = await conn.fetchval(sql, agency, user_id)
            await conn.enter(org_id)
        return Role(found) if found else None

    async def refuse_known(self, conn: Connection, org_id: str, email_key: str) -> None:
        """AlreadyExists("already_member") when the address is a user of the organization."""
        sql = "select exists (select 1 from app_user u where u.org_id = $1 and u.email_key = $2)"
        if await conn.fetchval(sql, org_id, email_key):
            raise _known()

    async def add(self, conn: Connection, user: User, email_key: str) -> None:
        try:
            await conn.execute(
                "insert into app_user (org_id, id, account_id, email, email_key, first_name, last_name, role, version, "
                "created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                user.org_id, user.id, user.account_id, user.email, email_key, user.first_name, user.last_name,
                user.role.value, user.version, user.created_at, user.updated_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise _known() from None

    async def save(self, conn: Connection, user: User) -> None:
        await conn.execute(
            "update app_user u set first_name = $3, last_name = $4, role = $5, version = $6, updated_at = $7, "
            "agent_access = $8 where u.org_id = $1 and u.id = $2",
            user.org_id, user.id, user.first_name, user.last_name, user.role.value, user.version, user.updated_at,
            user.agent_access.value,
        )  # fmt: skip

    async def save_email(self, conn: Connection, user: User, email_key: str, now: datetime) -> bool:
        """Whether the user was still there; goes on in this transaction as the user's organization."""
        await conn.enter(user.org_id)
        try:
            saved = await conn.fetchval(
                "update app_user u set email = $3, email_key = $4, version = u.version + 1, updated_at = $5 "
                "where u.org_id = $1 and u.id = $2 returning true",
                user.org_id, user.id, user.email, email_key, now,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise Aborted("concurrent_update", "The account has changed meanwhile. Try again.") from None
        return saved is not None

    async def note_login(self, conn: Connection, user: User, now: datetime) -> bool:
        """Whether the user is still there, in an active organization; it then stays until this transaction ends."""
        sql = (
            "update app_user u set last_login_at = $3 from organization g where u.org_id = $1 and u.id = $2 "
            "and g.org_id = u.org_id and g.status = 'active' returning true"
        )
        return await conn.fetchval(sql, user.org_id, user.id, now) is not None

    async def delete(self, conn: Connection, user: User) -> None:
        """Its sessions must be gone."""
        await conn.execute("delete from app_user u where u.org_id = $1 and u.id = $2", user.org_id, user.id)


def _found(row: Record | None) -> User:
    if row is None:
        raise NotFound("user_not_found", "No such user.")
    return user_of(row)


def _known() -> AlreadyExists:
    return AlreadyExists("already_member", "This address is a user of the organization already.")

"""Accounts as rows. The hash of a password goes out only to compare a password with it.

An account is a tenant of its own: a transaction goes on as one, as it does as a new organization.
"""

from __future__ import annotations

from datetime import datetime

import asyncpg

from libs.errors import AlreadyExists, NotFound
from libs.postgres import Connection, Database, Record
from services.identity.domain.accounts import Account, Login
from services.identity.domain.people import User

from .people import CurrentUser
from .rows import ORGANIZATION, USER, organization_of, user_of

_COLUMNS = (
    "a.org_id as account, a.email as account_email, a.password_hash, a.created_at as account_created_at, "
    "a.updated_at as account_updated_at, a.totp_enabled_at is not null as has_second_factor"
)


def _login(condition: str) -> str:
    """The account for which the condition holds, with the user of it that signed in last, of an active organization
    where there is one."""
    return f"""
select {_COLUMNS}, {USER} from account a join app_user u on u.account_id = a.org_id
join organization g on g.org_id = u.org_id
where {condition} order by g.status <> 'active', u.last_login_at desc nulls last, u.created_at, u.id limit 1"""


_BY_EMAIL = _login("a.email_key = $1")
_BY_ID = _login("a.org_id = $1")
_BY_SUBJECT = _login("a.org_id = (select l.org_id from account_link l where l.issuer = $1 and l.subject = $2)")
_GET = f"select {_COLUMNS} from account a where a.org_id = o.org"
_LOCK = f"select {_COLUMNS} from account a where a.org_id = $1 for update of a"
_USERS = f"select {USER} from app_user u where u.account_id = $1 order by u.created_at, u.id"
_MEMBERSHIPS = f"""
select {USER}, {ORGANIZATION}
from app_user u join organization g on g.org_id = u.org_id where u.account_id = $1 order by g.name, u.id"""


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_email(self, email_key: str) -> Login | None:
        """Across organizations, with the hash of the password."""
        row = await self._database.system_fetchrow(_BY_EMAIL, email_key)
        return None if row is None else Login(_account(row), user_of(row))

    async def by_id(self, account_id: str) -> Login | None:
        row = await self._database.system_fetchrow(_BY_ID, account_id)
        return None if row is None else Login(_account(row), user_of(row))

    async def by_subject(self, issuer: str, subject: str) -> Login | None:
        """The account that a subject of an OpenID provider signs in as."""
        row = await self._database.system_fetchrow(_BY_SUBJECT, issuer, subject)
        return None if row is None else Login(_account(row), user_of(row))

    async def link(self, conn: Connection, account_id: str, issuer: str, subject: str, now: datetime) -> bool:
        """Whether the account has no other subject of this issuer, and the subject no other account."""
        linked = await conn.fetchval(
            "insert into account_link (org_id, issuer, subject, created_at) values ($1, $2, $3, $4) "
            "on conflict do nothing returning true",
            account_id, issuer, subject, now,
        )  # fmt: skip
        return linked is not None

    async def unlink(self, conn: Connection, account_id: str) -> None:
        """No subject of a provider signs in as the account any more. A link that was turned off stays, because without
        its row the provider would make it anew."""
        await conn.execute("delete from account_link l where l.org_id = $1 and l.disabled_at is null", account_id)

    async def get(self, account_id: str) -> Account:
        row = await self._database.fetchrow(account_id, _GET)
        if row is None:
            raise NotFound("user_not_found", "No such user.")
        return _account(row)

    async def lock(self, conn: Connection, account_id: str) -> Account | None:
        """In a transaction of the account: it takes no user and loses none until the transaction ends. None once it is
        deleted."""
        row = await conn.fetchrow(_LOCK, account_id)
        return None if row is None else _account(row)

    async def users(self, account_id: str) -> list[User]:
        """The users that the account is, in every organization."""
        return [user_of(row) for row in await self._database.system_fetch(_USERS, account_id)]

    async def memberships(self, account_id: str) -> list[CurrentUser]:
        """The users that the account is, with their organizations, by name."""
        return [
            CurrentUser(user_of(row), organization_of(row))
            for row in await self._database.system_fetch(_MEMBERSHIPS, account_id)
        ]

    async def save_password(self, conn: Connection, account_id: str, password_hash: str, now: datetime) -> None:
        sql = "update account a set password_hash = $2, updated_at = $3 where a.org_id = $1"
        await conn.execute(sql, account_id, password_hash, now)

    async def save_email(self, conn: Connection, account_id: str, email: str, email_key: str, now: datetime) -> None:
        try:
            await conn.execute(
                "update account a set email = $2, email_key = $3, updated_at = $4 where a.org_id = $1",
                account_id, email, email_key, now,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise _taken() from None

    async def add(self, conn: Connection, account: Account, email_key: str) -> None:
        """Goes on in this transaction as the account."""
        await conn.enter(account.id)
        try:
            await conn.execute(
                "insert into account (org_id, email, email_key, password_hash, created_at, updated_at) "
                "values ($1, $2, $3, $4, $5, $6)",
                account.id, account.email, email_key, account.password_hash, account.created_at, account.updated_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise _taken() from None

    async def delete_unused(self, conn: Connection, account_id: str, org_id: str) -> None:
        """Delete the account unless it is a user of another organization; goes on as the organization `org_id`.

        The foreign key of users decides, because no tenant sees the users of another one."""
        try:
            async with conn.transaction():
                await conn.enter(account_id)
                await conn.execute("delete from account a where a.org_id = $1", account_id)
        except asyncpg.ForeignKeyViolationError:
            pass
        await conn.enter(org_id)


def _account(row: Record) -> Account:
    return Account(
        row["account"], row["account_email"], row["account_created_at"], row["account_updated_at"],
        row["password_hash"], row["has_second_factor"],
    )  # fmt: skip


def _taken() -> AlreadyExists:
    return AlreadyExists("email_taken", "A user with this e-mail address exists. Log in instead.")

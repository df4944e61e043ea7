"""Accounts as rows. The hash of a password goes out only to compare a password with it.

An account is a tenant of its own: `enter` continues a transaction as one, as for a new organization.
"""

from __future__ import annotations

import asyncpg

from libs.errors import AlreadyExists
from libs.postgres import Connection, Database, Record
from services.identity.domain.accounts import Account, Login

from .rows import USER, enter, user_of

_COLUMNS = (
    "a.org_id as account, a.email as account_email, a.password_hash, a.created_at as account_created_at, "
    "a.updated_at as account_updated_at"
)
_BY_EMAIL = f"""
select {_COLUMNS}, {USER} from account a join app_user u on u.account_id = a.org_id
where a.email_key = $1 order by u.last_login_at desc nulls last, u.created_at, u.id limit 1"""


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_email(self, email_key: str) -> Login | None:
        """Across organizations, with the hash of the password."""
        row = await self._database.system_fetchrow(_BY_EMAIL, email_key)
        return None if row is None else Login(_account(row), user_of(row))

    async def add(self, conn: Connection, account: Account, email_key: str) -> None:
        """Goes on in this transaction as the account."""
        await enter(conn, account.id)
        try:
            await conn.execute(
                "insert into account (org_id, email, email_key, password_hash, created_at, updated_at) "
                "values ($1, $2, $3, $4, $5, $6)",
                account.id, account.email, email_key, account.password_hash, account.created_at, account.updated_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise AlreadyExists("email_taken", "A user with this e-mail address exists. Log in instead.") from None

    async def delete_unused(self, conn: Connection, account_id: str, org_id: str) -> None:
        """Delete the account unless it is a user of another organization; goes on as the organization `org_id`.

        The foreign key of users decides, because no tenant sees the users of another one."""
        try:
            async with conn.transaction():
                await enter(conn, account_id)
                await conn.execute("delete from account a where a.org_id = $1", account_id)
        except asyncpg.ForeignKeyViolationError:
            pass
        await enter(conn, org_id)


def _account(row: Record) -> Account:
    return Account(
        row["account"], row["account_email"], row["account_created_at"], row["account_updated_at"],
        row["password_hash"],
    )  # fmt: skip

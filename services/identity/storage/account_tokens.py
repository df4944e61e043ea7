"""Tokens of accounts as rows: which were given out and not used yet. The tokens themselves are in no table."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from libs.errors import Aborted
from libs.postgres import Connection, Database
from services.identity.domain.account_tokens import AccountToken, Purpose
from suite.tables import TOKENS_PER_ACCOUNT

_PLACE = "select t.org_id from account_token t where t.id = $1 and t.purpose = $2 and t.expires_at > $3"
_TAKE = """
delete from account_token t where t.org_id = $1 and t.id = $2 and t.purpose = $3 and t.expires_at > $4
returning t.new_email"""
_TRIM = """
delete from account_token d where d.org_id = $1 and d.id in (
    select t.id from account_token t where t.org_id = $1 and t.purpose = $2
    order by t.created_at desc, t.id desc offset $3
)"""
_SWEEP = """
delete from account_token d where (d.org_id, d.id) in (
    select t.org_id, t.id from account_token t where t.expires_at < $1 order by t.expires_at limit 10000
)"""


class AccountTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, token_id: str, purpose: Purpose, now: datetime) -> str | None:
        """The account of a token that works; a link names no account."""
        place: str | None = await self._database.system_fetchval(_PLACE, token_id, purpose.value, now)
        return place

    async def add(self, conn: Connection, token: AccountToken) -> None:
        """Keep it, and of its purpose the newest alone. Aborted when the account was deleted meanwhile."""
        try:
            await conn.execute(
                "insert into account_token (org_id, id, purpose, new_email, created_at, expires_at) "
                "values ($1, $2, $3, $4, $5, $6)",
                token.account_id, token.id, token.purpose.value, token.new_email, token.created_at, token.expires_at,
            )  # fmt: skip
        except asyncpg.ForeignKeyViolationError:
            raise Aborted("concurrent_update", "The account has changed meanwhile. Try again.") from None
        await conn.execute(_TRIM, token.account_id, token.purpose.value, TOKENS_PER_ACCOUNT)

    async def take(
        self, conn: Connection, account_id: str, token_id: str, purpose: Purpose, now: datetime
    ) -> str | None:
        """Use it up; the new address that it carries, None when it was used or has expired."""
        new_email: str | None = await conn.fetchval(_TAKE, account_id, token_id, purpose.value, now)
        return new_email

    async def clear(self, conn: Connection, account_id: str, *purposes: Purpose) -> None:
        """No token of the account works any more; with purposes, none of these."""
        cleared = [purpose.value for purpose in purposes or Purpose]
        sql = "delete from account_token t where t.org_id = $1 and t.purpose = any($2::text[])"
        await conn.execute(sql, account_id, cleared)

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete those that expired before this; at most 10,000 a call."""
        return await conn.change(_SWEEP, before)

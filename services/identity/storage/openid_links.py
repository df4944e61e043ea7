"""The subjects of OpenID providers of an account as rows. An account has one an issuer."""

from __future__ import annotations

from datetime import datetime

from libs.errors import NotFound
from libs.postgres import Connection, Database
from services.identity.domain.openid_links import OpenIdLink

_OF_ACCOUNT = """
select l.issuer, l.subject, l.created_at, l.disabled_at from account_link l
where l.org_id = o.org order by l.created_at, l.issuer"""
_IS_DISABLED = """
select exists (select 1 from account_link l where l.issuer = $1 and l.subject = $2 and l.disabled_at is not null)"""


class OpenIdLinks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_account(self, account_id: str) -> list[OpenIdLink]:
        return [OpenIdLink(**row) for row in await self._database.fetch(account_id, _OF_ACCOUNT)]

    async def find(self, account_id: str, link_id: str) -> OpenIdLink:
        """One of the account's; NotFound("openid_link_not_found")."""
        for link in await self.of_account(account_id):
            if link.id == link_id:
                return link
        raise NotFound("openid_link_not_found", "No such sign-in link.")

    async def is_disabled(self, issuer: str, subject: str) -> bool:
        """Whether the account of this subject has turned it off."""
        return bool(await self._database.system_fetchval(_IS_DISABLED, issuer, subject))

    async def save(self, conn: Connection, account_id: str, link: OpenIdLink, disabled_at: datetime | None) -> None:
        """In a transaction of the account."""
        await conn.execute(
            "update account_link l set disabled_at = $3 where l.org_id = $1 and l.issuer = $2",
            account_id, link.issuer, disabled_at,
        )  # fmt: skip

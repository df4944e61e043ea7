"""The subjects of OpenID providers that sign in as the person's own account."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import accounts_pb2 as pb
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.times import to_timestamp
from services.identity import operations
from services.identity.domain.account_tokens import Purpose
from services.identity.domain.openid_links import OpenIdLink

from .parts import signed_in
from .second_factor import SecondFactorMethods


class OpenIdLinkMethods(SecondFactorMethods):
    """A part of AccountService."""

    async def ListOpenIdLinks(self, request: pb.ListOpenIdLinksRequest, context: object) -> pb.ListOpenIdLinksResponse:
        links = await self._parts.links.of_account((await self._own()).id)
        return pb.ListOpenIdLinksResponse(links=map(_to_proto, links))

    async def UpdateOpenIdLink(
        self, request: pb.UpdateOpenIdLinkRequest, context: object
    ) -> pb.UpdateOpenIdLinkResponse:
        """A link that is turned off stays in the table: a provider that vouches for the address would make it anew.
        Which sessions and challenges it opened is not known, so all end but this session."""
        principal, parts, now = signed_in(), self._parts, self._parts.clock.now()
        account = await self._own()
        known = await parts.links.find(account.id, request.id)
        await self._require_password(account, request.password)
        wanted = replace(known, disabled_at=None if request.enabled else known.disabled_at or now)

        async def act(conn: Connection) -> pb.UpdateOpenIdLinkResponse:
            await conn.enter(account.id)
            await parts.links.save(conn, account.id, known, wanted.disabled_at)
            if wanted.disabled_at is not None and known.disabled_at is None:
                await parts.tokens.clear(conn, account.id, Purpose.LOGIN)
                users = await parts.accounts.users(account.id)
                await operations.end_everywhere(conn, parts.credentials, users, now, principal.session_id)
            return pb.UpdateOpenIdLinkResponse(link=_to_proto(wanted))

        return await run_write(parts.database, principal.org_id, act, pb.UpdateOpenIdLinkResponse)


def _to_proto(link: OpenIdLink) -> pb.OpenIdLink:
    return pb.OpenIdLink(
        id=link.id,
        issuer=link.issuer,
        subject=link.subject,
        enabled=link.disabled_at is None,
        create_time=to_timestamp(link.created_at),
    )

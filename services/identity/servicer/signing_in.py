"""How a session begins: what every way to sign in ends with."""

from __future__ import annotations

from datetime import datetime

from echosenseix.identity.v1 import identity_pb2
from libs.context import current_call
from libs.crypto import random_token
from libs.errors import Unauthenticated
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from services.identity.domain.account_tokens import Purpose, new_token
from services.identity.domain.accounts import Login
from services.identity.domain.credentials import SESSION_CAP, SESSION_IDLE, Session, hashed
from services.identity.domain.people import User
from services.identity.mapping.events import session_event
from services.identity.mapping.people import user_to_proto

from .parts import Parts


async def after_first_factor(
    parts: Parts, login: Login, ip_address: str, user_agent: str
) -> identity_pb2.LoginResponse:
    """A session, or the challenge of the second factor where the account has one."""
    account, user, now = login.account, login.user, parts.clock.now()
    _acts(user)
    if account.has_second_factor:
        token = new_token(new_id("tok"), account.id, Purpose.LOGIN, now)
        async with parts.database.transaction(account.id) as conn:
            await parts.tokens.add(conn, token)
        return identity_pb2.LoginResponse(challenge=parts.token_links[Purpose.LOGIN].token(token.id))
    async with parts.database.transaction(user.org_id) as conn:
        return await open_session(parts, conn, user, ip_address, user_agent)


async def open_session(
    parts: Parts, conn: Connection, user: User, ip_address: str, user_agent: str, began: datetime | None = None
) -> identity_pb2.LoginResponse:
    """In a transaction of the user's organization. `began`: when the session began that this one replaces."""
    now, token = parts.clock.now(), random_token()
    began = began or now
    session = Session(
        id=new_id("ses"),
        org_id=user.org_id,
        user_id=user.id,
        ip_address=_shown(ip_address, 64),
        user_agent=_shown(user_agent, 400),
        created_at=began,
        last_seen_at=now,
        expires_at=min(now + SESSION_IDLE, began + SESSION_CAP),
        token_hash=hashed(token),
    )
    _acts(user, session.id)
    if not await parts.members.note_login(conn, user, now):
        raise Unauthenticated("invalid_credentials", "This user, or its organization, is not active any more.")
    await parts.sessions.add(conn, session)
    for ended in await parts.sessions.trim(conn, session):
        await append(conn, session_event("session.revoked", user.org_id, ended, user.id))
    response = identity_pb2.LoginResponse(token=token, user=user_to_proto(user))
    response.expire_time.FromDatetime(session.expires_at)
    return response


def _acts(user: User, session_id: str = "") -> None:
    """The audit log of the user's organization has this call, as an act of the user."""
    if (audited := current_call().audited) is not None:
        audited.org_id, audited.user_id, audited.session_id = user.org_id, user.id, session_id


def _shown(text: str, most: int) -> str:
    return text.replace("\x00", "")[:most]

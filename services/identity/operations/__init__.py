"""Acts of several steps that several methods share: ending what a user signed in with, and removing a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.events.outbox import append_many
from libs.postgres import Connection
from services.identity.domain.people import User
from services.identity.mapping.events import api_key_event, session_event
from services.identity.storage.accounts import Accounts
from services.identity.storage.api_keys import ApiKeys
from services.identity.storage.members import Members
from services.identity.storage.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Credentials:
    """What users sign in with, and how all of it ends."""

    sessions: Sessions
    api_keys: ApiKeys

    async def end_sessions(
        self, conn: Connection, org_id: str, user_id: str, now: datetime, keep_id: str = ""
    ) -> list[str]:
        """End the user's sessions but one; the ids of those that ended."""
        ended = await self.sessions.revoke_all(conn, org_id, user_id, now, keep_id)
        await append_many(conn, [session_event("session.revoked", org_id, one, user_id) for one in ended])
        return ended

    async def revoke_keys(self, conn: Connection, org_id: str, user_id: str, now: datetime) -> None:
        revoked = await self.api_keys.revoke_all(conn, org_id, user_id, now)
        await append_many(conn, [api_key_event("api_key.revoked", key) for key in revoked])


async def end_everywhere(
    conn: Connection, credentials: Credentials, users: Sequence[User], now: datetime, keep_id: str = ""
) -> list[str]:
    """End the sessions of an account in every organization, but one session; the ids of those that ended."""
    ended: list[str] = []
    for user in users:
        await conn.enter(user.org_id)
        ended += await credentials.end_sessions(conn, user.org_id, user.id, now, keep_id)
    return ended


async def remove_user(
    conn: Connection, credentials: Credentials, members: Members, accounts: Accounts, user: User, now: datetime
) -> None:
    """The user is gone, nothing that it signed in with works, and its account is deleted with its last user."""
    await credentials.end_sessions(conn, user.org_id, user.id, now)
    await credentials.revoke_keys(conn, user.org_id, user.id, now)
    await credentials.sessions.delete_all(conn, user.org_id, user.id)
    await members.delete(conn, user)
    await accounts.delete_unused(conn, user.account_id, user.org_id)

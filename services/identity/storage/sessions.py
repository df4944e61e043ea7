"""Sessions as rows, seen by their own user."""

from __future__ import annotations

from datetime import datetime

from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.identity.domain.credentials import Session
from suite.tables import FORMER_TOKENS_PER_SESSION, SESSIONS_PER_USER

SESSION_LIST = ListRules(sorts={"createdAt": "s.created_at", "lastSeenAt": "s.last_seen_at"})
_COLUMNS = "s.org_id, s.id, s.user_id, s.ip_address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at"
_LISTING = Listing(_COLUMNS, "session s", SESSION_LIST, tie="s.id")

_TRIM = """
with old as (
    select s.id, s.revoked_at is null and s.expires_at > $3 as active from session s
    where s.org_id = $1 and s.user_id = $2 and s.id <> $5 order by s.created_at desc, s.id desc offset $4
)
delete from session d using old where d.org_id = $1 and d.id = old.id returning d.id, old.active"""

# Before the session is locked: who removes a user locks in this order (migration 0017).
_HOLD_USER = """
select 1 from app_user u join session s on s.org_id = u.org_id and s.user_id = u.id
where s.org_id = $1 and s.id = $2 for share of u"""
_ROTATE = """
with old as (
    select s.id, s.token_hash from session s
    where s.org_id = $1 and s.id = $2 and s.revoked_at is null and s.expires_at > $4 for update
)
update session s set token_hash = $3 from old where s.org_id = $1 and s.id = old.id
returning old.token_hash as old_hash, s.expires_at"""
_TRIM_FORMER = """
delete from former_session_token d where d.org_id = $1 and d.session_id = $2 and d.token_hash in (
    select f.token_hash from former_session_token f where f.org_id = $1 and f.session_id = $2
    order by f.retired_at desc offset $3
)"""


class Sessions:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, user_id: str, request: PageRequest) -> Page[Session]:
        """The user's active sessions."""
        living = [("s.user_id = {}", user_id), ("s.revoked_at is null and s.expires_at > now()", None)]
        page = await fetch_page(self._database, org_id, _LISTING, request, living, self._cursors, ("sessions", user_id))
        return page.map(_session)

    async def add(self, conn: Connection, session: Session) -> None:
        await conn.execute(
            "insert into session (org_id, id, user_id, token_hash, ip_address, user_agent, created_at, last_seen_at, "
            "expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            session.org_id, session.id, session.user_id, session.token_hash, session.ip_address, session.user_agent,
            session.created_at, session.last_seen_at, session.expires_at,
        )  # fmt: skip

    async def trim(self, conn: Connection, session: Session) -> list[str]:
        """Keep this session and the newest others of its user; the ids of those that were active and are deleted."""
        rows = await conn.fetch(
            _TRIM, session.org_id, session.user_id, session.last_seen_at, SESSIONS_PER_USER - 1, session.id
        )
        return [row["id"] for row in rows if row["active"]]

    async def revoke(self, conn: Connection, org_id: str, user_id: str, session_id: str, now: datetime) -> bool:
        """End the user's session; False when there is no active one."""
        return await self.take(conn, org_id, user_id, session_id, now) is not None

    async def take(
        self, conn: Connection, org_id: str, user_id: str, session_id: str, now: datetime
    ) -> datetime | None:
        """End the user's session; when it began, None when there is no active one."""
        if not is_id(session_id, "ses"):
            return None
        began: datetime | None = await conn.fetchval(
            "update session s set revoked_at = $4 where s.org_id = $1 and s.id = $2 and s.user_id = $3 "
            "and s.revoked_at is null and s.expires_at > $4 returning s.created_at",
            org_id, session_id, user_id, now,
        )  # fmt: skip
        return began

    async def rotate(
        self, conn: Connection, org_id: str, session_id: str, token_hash: bytes, now: datetime
    ) -> datetime | None:
        """Give the session another token and remember the old one; when it ends, None when it has ended."""
        await conn.execute(_HOLD_USER, org_id, session_id)
        row = await conn.fetchrow(_ROTATE, org_id, session_id, token_hash, now)
        if row is None:
            return None
        await conn.execute(
            "insert into former_session_token (org_id, token_hash, session_id, retired_at) values ($1, $2, $3, $4)",
            org_id, row["old_hash"], session_id, now,
        )  # fmt: skip
        await conn.execute(_TRIM_FORMER, org_id, session_id, FORMER_TOKENS_PER_SESSION)
        ends: datetime = row["expires_at"]
        return ends

    async def revoke_all(
        self, conn: Connection, org_id: str, user_id: str, now: datetime, keep_id: str = ""
    ) -> list[str]:
        """End the user's active sessions but one; the ids of those that ended."""
        rows = await conn.fetch(
            "update session s set revoked_at = $3 where s.org_id = $1 and s.user_id = $2 and s.id <> $4 "
            "and s.revoked_at is null and s.expires_at > $3 returning s.id",
            org_id, user_id, now, keep_id,
        )  # fmt: skip
        return [row["id"] for row in rows]

    async def delete_all(self, conn: Connection, org_id: str, user_id: str) -> None:
        await conn.execute("delete from session s where s.org_id = $1 and s.user_id = $2", org_id, user_id)

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete sessions that ended before this; at most 10,000 a call."""
        rows = await conn.fetch(
            "delete from session s where (s.org_id, s.id) in "
            "(select e.org_id, e.id from session e where e.expires_at < $1 order by e.expires_at limit 10000) "
            "returning s.id",
            before,
        )
        return len(rows)


def _session(row: Record) -> Session:
    return Session(
        id=row["id"],
        org_id=row["org_id"],
        user_id=row["user_id"],
        ip_address=row["ip_address"],
        user_agent=row["user_agent"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        expires_at=row["expires_at"],
    )

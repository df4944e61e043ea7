"""Who is behind a session token or an API key: one indexed statement each, across organizations.

The same statement notes the use, at most once a minute a credential; a row that another call is noting is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.postgres import Database, Record
from services.identity.domain.agent_grants import AgentAccess, is_limited
from services.identity.domain.caller import Caller
from services.identity.domain.credentials import SESSION_CAP, SESSION_IDLE, TOUCH_EVERY
from services.identity.domain.scopes import Role

# The grants of the user `u`, null where it has none because it reaches all agents.
_GRANTED = """case when u.agent_access = 'granted' then array(
        select case when a.writable then 'w' else 'r' end || a.agent_id
        from agent_grant a where a.org_id = u.org_id and a.user_id = u.id) end"""
_SESSION = f"""
with found as materialized (
    select s.org_id, s.id, s.user_id, s.expires_at, s.last_seen_at, s.created_at, u.role, {_GRANTED} as granted,
           g.limit_percent
    from session s join app_user u on u.org_id = s.org_id and u.id = s.user_id
    join organization g on g.org_id = s.org_id
    where s.token_hash = $1 and s.revoked_at is null and s.expires_at > $2 and g.status = 'active'
), stale as (
    select s.org_id, s.id, f.created_at
    from session s join found f on f.org_id = s.org_id and f.id = s.id
    where f.last_seen_at <= $3
    for update of s skip locked
), touched as (
    update session s set last_seen_at = $2, expires_at = least($4::timestamptz, stale.created_at + $5::interval)
    from stale
    where s.org_id = stale.org_id and s.id = stale.id
    returning s.expires_at
)
select f.org_id, f.id, f.user_id, f.role, f.granted, f.limit_percent,
    coalesce((select t.expires_at from touched t), f.expires_at) as expires_at
from found f
"""
_API_KEY = f"""
with found as materialized (
    select k.org_id, k.id, k.created_by, k.scopes, k.last_used_at, k.allowed_addresses, u.role, {_GRANTED} as granted,
           g.limit_percent,
           case when k.key_hash = $2 then k.expires_at else least(k.expires_at, k.previous_until) end as expires_at
    from api_key k join app_user u on u.org_id = k.org_id and u.id = k.created_by
    join organization g on g.org_id = k.org_id
    where k.prefix = $1 and g.status = 'active'
      and (k.key_hash = $2 or (k.previous_hash = $2 and k.previous_until > $3))
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > $3)
), stale as (
    select k.org_id, k.id
    from api_key k join found f on f.org_id = k.org_id and f.id = k.id
    where f.last_used_at is null or f.last_used_at <= $4
    for update of k skip locked
), touched as (
    update api_key k set last_used_at = $3
    from stale
    where k.org_id = stale.org_id and k.id = stale.id
)
select f.org_id, f.id, f.created_by, f.scopes, f.role, f.expires_at, f.allowed_addresses, f.granted,
    f.limit_percent from found f
"""

_FORMER = f"""
select s.org_id, s.id, s.user_id, s.expires_at, f.retired_at, u.role, {_GRANTED} as granted,
           g.limit_percent
from former_session_token f join session s on s.org_id = f.org_id and s.id = f.session_id
join app_user u on u.org_id = s.org_id and u.id = s.user_id
join organization g on g.org_id = s.org_id and g.status = 'active'
where f.token_hash = $1 and s.revoked_at is null and s.expires_at > $2"""
# Its schema has the triggers of all migrations up to the last that concerns them.
_TELLS = """
select exists (select 1 from pg_trigger where tgname = 'credentials_hold' and tgrelid = 'api_key'::regclass)"""
_CHILD = "select g.limit_percent from organization g where g.org_id = $1 and g.parent_id = $2 and g.status = 'active'"


@dataclass(frozen=True, slots=True)
class FormerToken:
    """A token that its session gave up at `retired_at`."""

    caller: Caller
    retired_at: datetime


class Authentication:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._tells = False

    async def tells_of_changes(self) -> bool:
        """Whether the schema tells the caches of changes. It may be older than this code until it is migrated; after
        that it is not asked again."""
        if not self._tells:
            self._tells = bool(await self._database.system_fetchval(_TELLS))
        return self._tells

    async def by_session(self, token_hash: bytes, now: datetime) -> Caller | None:
        row = await self._database.system_fetchrow(
            _SESSION, token_hash, now, now - TOUCH_EVERY, now + SESSION_IDLE, SESSION_CAP
        )
        if row is None:
            return None
        return _of_session(row)

    async def by_former_token(self, token_hash: bytes, now: datetime) -> FormerToken | None:
        """Asked for tokens of no session: whether an active session had it before."""
        row = await self._database.system_fetchrow(_FORMER, token_hash, now)
        if row is None:
            return None
        return FormerToken(_of_session(row), row["retired_at"])

    async def limits_of_child(self, org_id: str, parent_id: str) -> int | None:
        """The percentage of its rate limits; None where it is no active customer of this organization."""
        percent: int | None = await self._database.system_fetchval(_CHILD, org_id, parent_id)
        return percent

    async def by_key(self, prefix: str, key_hash: bytes, now: datetime) -> Caller | None:
        row = await self._database.system_fetchrow(_API_KEY, prefix, key_hash, now, now - TOUCH_EVERY)
        if row is None:
            return None
        return Caller(
            row["org_id"], row["created_by"], role := Role(row["role"]), row["expires_at"],
            api_key_id=row["id"], scopes=tuple(row["scopes"]), allowed_addresses=tuple(row["allowed_addresses"]),
            granted=_granted(row, role), limit_percent=row["limit_percent"],
        )  # fmt: skip


def _of_session(row: Record) -> Caller:
    role = Role(row["role"])
    return Caller(
        row["org_id"], row["user_id"], role, row["expires_at"], session_id=row["id"], granted=_granted(row, role),
        limit_percent=row["limit_percent"],
    )  # fmt: skip


def _granted(row: Record, role: Role) -> dict[str, bool] | None:
    if row["granted"] is None or not is_limited(AgentAccess.GRANTED, role):
        return None
    return {grant[1:]: grant[0] == "w" for grant in row["granted"]}

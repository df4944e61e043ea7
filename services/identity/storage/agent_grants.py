"""Grants of agents to users as rows."""

from __future__ import annotations

from collections.abc import Sequence

from libs.postgres import Connection, Database
from services.identity.domain.agent_grants import AgentGrant
from services.identity.domain.people import User

_OF_USER = """
select a.agent_id, a.writable, a.granted_by, a.created_at from agent_grant a
where a.org_id = o.org and a.user_id = $2 order by a.created_at, a.agent_id"""
_REMOVE = "delete from agent_grant a where a.org_id = $1 and a.user_id = $2 and a.agent_id <> all($3::text[])"
# A grant that stays as it is keeps who gave it, and when.
_PUT = """
insert into agent_grant as a (org_id, user_id, agent_id, writable, granted_by, created_at)
select $1, $2, g.agent_id, g.writable, $5, $6 from unnest($3::text[], $4::boolean[]) as g(agent_id, writable)
on conflict (org_id, user_id, agent_id) do update
set writable = excluded.writable, granted_by = excluded.granted_by, created_at = excluded.created_at
where a.writable <> excluded.writable"""


class AgentGrants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, org_id: str, user_id: str) -> list[AgentGrant]:
        return [AgentGrant(**row) for row in await self._database.fetch(org_id, _OF_USER, user_id)]

    async def locked(self, conn: Connection, user: User) -> list[AgentGrant]:
        """The same in the transaction that holds the user."""
        rows = await conn.fetch(_OF_USER.replace("o.org", "$1"), user.org_id, user.id)
        return [AgentGrant(**row) for row in rows]

    async def replace(self, conn: Connection, user: User, grants: Sequence[AgentGrant], granted_by: str) -> None:
        """The user, whose row is held, has these and no others."""
        ids = [grant.agent_id for grant in grants]
        await conn.execute(_REMOVE, user.org_id, user.id, ids)
        writable = [grant.writable for grant in grants]
        await conn.execute(_PUT, user.org_id, user.id, ids, writable, granted_by, user.updated_at)

"""The rate limits of organizations as columns, written by operators for any of them."""

from __future__ import annotations

from libs.errors import NotFound
from libs.ids import is_id
from libs.postgres import Connection, Database, Record
from services.identity.domain.request_limits import RequestLimits

_GET = "select g.org_id, g.limit_percent, g.limit_reason from organization g where g.org_id = o.org"
_LOCK = "select g.org_id, g.limit_percent, g.limit_reason from organization g where g.org_id = $1 for update"
_FIRST = "select g.org_id from organization g order by g.created_at, g.org_id limit 1"


class RequestLimitRows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, org_id: str) -> RequestLimits:
        return _found(await self._database.fetchrow(org_id, _GET) if is_id(org_id, "org") else None)

    async def lock(self, conn: Connection, org_id: str) -> RequestLimits:
        """Goes on in this transaction as the organization."""
        if not is_id(org_id, "org"):
            raise _missing()
        await conn.enter(org_id)
        return _found(await conn.fetchrow(_LOCK, org_id))

    async def save(self, conn: Connection, limits: RequestLimits) -> None:
        await conn.execute(
            "update organization g set limit_percent = $2, limit_reason = $3 where g.org_id = $1",
            limits.org_id, limits.percent, limits.reason,
        )  # fmt: skip

    async def first_organization(self) -> str:
        """The oldest one: the operators' own, of a local suite."""
        return await self._database.system_fetchval(_FIRST) or ""


def _found(row: Record | None) -> RequestLimits:
    if row is None:
        raise _missing()
    return RequestLimits(row["org_id"], row["limit_percent"], row["limit_reason"])


def _missing() -> NotFound:
    return NotFound("organization_not_found", "No such organization.")

"""Organizations with an account at a provider, and the position of the reconciler in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.postgres import Connection, Database

_SET = """
insert into provider_link (org_id, provider, active) values ($1, $2, $3)
on conflict (org_id, provider) do update set active = excluded.active
where provider_link.active is distinct from excluded.active"""
_ACTIVE = "select l.org_id, l.provider from provider_link l where l.active"
_UNTIL = "select l.reconciled_until from provider_link l where l.org_id = o.org and l.provider = $2"
_MOVE = """
update provider_link set reconciled_until = greatest(reconciled_until, $3) where org_id = $1 and provider = $2"""


@dataclass(frozen=True, slots=True)
class ProviderLink:
    org_id: str
    provider: str


class ProviderLinks:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def set_active(self, conn: Connection, org_id: str, provider: str, active: bool) -> None:
        await conn.execute(_SET, org_id, provider, active)

    async def active(self) -> list[ProviderLink]:
        """Over all organizations."""
        return [ProviderLink(row["org_id"], row["provider"]) for row in await self._db.system_fetch(_ACTIVE)]

    async def reconciled_until(self, org_id: str, provider: str) -> datetime | None:
        moment: datetime | None = await self._db.fetchval(org_id, _UNTIL, provider)
        return moment

    async def move_to(self, conn: Connection, org_id: str, provider: str, moment: datetime) -> None:
        await conn.execute(_MOVE, org_id, provider, moment)

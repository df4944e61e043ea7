"""How much processor time indexing took of an organization, in buckets of an hour."""

from __future__ import annotations

from libs.postgres import Connection, Database

_SPEND = """
insert into computing (org_id, hour, cpu_ms) values ($1, date_trunc('hour', clock_timestamp()), $2)
on conflict (org_id, hour) do update set cpu_ms = computing.cpu_ms + excluded.cpu_ms"""
# The running hour, and of the hour before the share that is less than sixty minutes old.
_SPENT = """
select coalesce(sum(case
    when c.hour = date_trunc('hour', clock_timestamp()) then c.cpu_ms
    else c.cpu_ms * (1 - extract(epoch from clock_timestamp() - date_trunc('hour', clock_timestamp())) / 3600)
end), 0)::bigint
from computing c
where c.org_id = o.org and c.hour >= date_trunc('hour', clock_timestamp()) - interval '1 hour' and $2"""
_FORGET = "delete from computing where hour < clock_timestamp() - interval '2 days'"


class Computing:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent_seconds(self, org_id: str) -> float:
        """Processor seconds of about the last sixty minutes."""
        return float(await self._database.fetchval(org_id, _SPENT, True)) / 1000

    async def spend(self, conn: Connection, org_id: str, cpu_seconds: float) -> None:
        """Last in its transaction: builds of an organization wait here for one another's commit."""
        await conn.execute(_SPEND, org_id, round(cpu_seconds * 1000))

    async def forget_old(self, conn: Connection) -> None:
        """Of every organization."""
        await conn.execute(_FORGET)

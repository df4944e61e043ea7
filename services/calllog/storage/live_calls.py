"""Calls that a party tells while they run: until when each counts as live, and turns one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from libs.postgres import Connection
from providers.interface.reports import Turn
from services.calllog.storage.calls import ADD_TURNS, turn_columns, turn_from_row

_KEEP = """
insert into live_call as l (org_id, call_id, lost_at) values ($1, $2, $3)
on conflict (org_id, call_id) do update set lost_at = greatest(l.lost_at, excluded.lost_at)
returning (xmax = 0) as is_new"""
_LOST_AT = "select l.lost_at from live_call l where l.org_id = $1 and l.call_id = $2"
_DROP = "delete from live_call where org_id = $1 and call_id = $2"
_TURNS_AT = """
select t.index, t.role, t.text, t.time_seconds, t.tool_calls from call_turn t
where t.org_id = $1 and t.call_id = $2 and t.index between $3 and $4"""
_COUNT = """
update call set turn_count = turn_count + $3, version = version + 1, updated_at = $4 where org_id = $1 and id = $2"""


class LiveRows:
    """Every method wants the call to be held by the caller's transaction."""

    async def keep(self, conn: Connection, org_id: str, call_id: str, lost_at: datetime) -> bool:
        """Put off the moment at which the call counts as lost; whether it was not live before."""
        is_new: bool = await conn.fetchval(_KEEP, org_id, call_id, lost_at)
        return is_new

    async def lost_at(self, conn: Connection, org_id: str, call_id: str) -> datetime | None:
        """None when no one tells of the call."""
        moment: datetime | None = await conn.fetchval(_LOST_AT, org_id, call_id)
        return moment

    async def drop(self, conn: Connection, org_id: str, call_id: str) -> None:
        await conn.execute(_DROP, org_id, call_id)

    async def turns_at(self, conn: Connection, org_id: str, call_id: str, first: int, last: int) -> dict[int, Turn]:
        rows = await conn.fetch(_TURNS_AT, org_id, call_id, first, last)
        return {row["index"]: turn_from_row(row) for row in rows}

    async def add_turns(
        self, conn: Connection, org_id: str, call_id: str, turns: Sequence[Turn], now: datetime
    ) -> None:
        await conn.execute(ADD_TURNS, org_id, call_id, *turn_columns(turns))
        await conn.execute(_COUNT, org_id, call_id, len(turns), now)

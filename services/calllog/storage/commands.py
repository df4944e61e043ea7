"""Commands to calls that run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.calllog.domain.commands import Command, command_not_found

_COLUMNS = """k.id, k.org_id, k.call_id, k.agent_id, k.type, k.target, k.context, k.reason, k.status, k.detail,
    k.created_at, k.expires_at, k.settled_at"""
COMMAND_LIST = ListRules(sorts={"createdAt": "k.created_at"})
_LISTING = Listing(_COLUMNS, "call_command k", COMMAND_LIST, tie="k.id", org="k.org_id", created="k.created_at")
_GET = f"select {_COLUMNS} from call_command k where k.org_id = o.org and k.call_id = $2 and k.id = $3"
_LOCK = f"select {_COLUMNS} from call_command k where k.org_id = $1 and k.call_id = $2 and k.id = $3 for update"
# In the order of their making, which is the order of their events.
_LOCK_PENDING = f"""
select {_COLUMNS} from call_command k where k.org_id = $1 and k.call_id = $2 and k.status = 'pending'
order by k.created_at, k.id for update"""
_ADD = """
insert into call_command (org_id, id, call_id, agent_id, type, target, context, reason, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_SETTLE = """
update call_command set status = $3, detail = $4, settled_at = $5 where org_id = $1 and id = $2"""
_SWEEP = """
delete from call_command where (org_id, id) in (
    select k.org_id, k.id from call_command k where k.created_at < $1 order by k.created_at limit $2)"""
# Commands that are deleted at a time. More: longer locks.
SWEEP_BATCH = 5_000


class Commands:
    def __init__(self, db: Database, cursors: CursorCodec) -> None:
        self._db = db
        self._cursors = cursors

    async def page(self, org_id: str, call_id: str, request: PageRequest, status: str) -> Page[Command]:
        conditions: list[Filter] = [("k.call_id = {}", call_id)]
        if status:
            conditions.append(("k.status = {}", status))
        page = await fetch_page(self._db, org_id, _LISTING, request, conditions, self._cursors)
        return page.map(_from_row)

    async def get(self, org_id: str, call_id: str, command_id: str) -> Command:
        return _found(await self._db.fetchrow(org_id, _GET, call_id, command_id))

    async def lock(self, conn: Connection, org_id: str, call_id: str, command_id: str) -> Command:
        """The command, held until the transaction ends; NotFound("call_command_not_found")."""
        return _found(await conn.fetchrow(_LOCK, org_id, call_id, command_id))

    async def lock_pending(self, conn: Connection, org_id: str, call_id: str) -> list[Command]:
        """The commands of a call that wait, held until the transaction ends."""
        return [_from_row(row) for row in await conn.fetch(_LOCK_PENDING, org_id, call_id)]

    async def add(self, conn: Connection, command: Command) -> None:
        await conn.execute(
            _ADD, command.org_id, command.id, command.call_id, command.agent_id, command.type, command.to,
            command.context, command.reason, command.created_at, command.expires_at,
        )  # fmt: skip

    async def settle(self, conn: Connection, command: Command) -> None:
        """Write the outcome of a command that is held."""
        await conn.execute(_SETTLE, command.org_id, command.id, command.status, command.detail, command.settled_at)

    async def sweep(self, conn: Connection, older_than: datetime) -> int:
        """Delete a batch of old commands; how many."""
        return await conn.change(_SWEEP, older_than, SWEEP_BATCH)


def _found(row: Record | None) -> Command:
    if row is None:
        raise command_not_found()
    return _from_row(row)


def _from_row(row: Record) -> Command:
    # Columns of a list's own, as its total, are no fields of a command.
    values: dict[str, Any] = {name: value for name, value in row.items() if not name.startswith("_")}
    return Command(to=values.pop("target"), **values)

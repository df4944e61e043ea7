"""How every command is settled: its row and its event, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from libs.events.outbox import append
from libs.postgres import Connection
from providers.interface.reports import CallStatus
from services.calllog.domain.commands import Command, settled_by_end
from services.calllog.mapping import command_event
from services.calllog.storage.commands import Commands


async def settle(conn: Connection, commands: Commands, settled: Command) -> None:
    """Write and announce the outcome of a command that is held."""
    await commands.settle(conn, settled)
    await append(conn, command_event("call.command_settled", settled))


async def settle_at_end(
    conn: Connection, commands: Commands, org_id: str, call_id: str, status: CallStatus, now: datetime
) -> None:
    """Settle what still waits of a call that ends with this status. The call is held, so that no command is added."""
    for command in await commands.lock_pending(conn, org_id, call_id):
        await settle(conn, commands, settled_by_end(command, status, now))

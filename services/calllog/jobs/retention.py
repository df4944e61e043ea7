"""retention.sweep: delete the bodies of webhooks and the commands to calls past their time. The calls stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.clock import Clock
from libs.jobs import JobContext
from libs.postgres import Connection, Database
from services.calllog.operations import SERVICE
from services.calllog.storage import commands, envelopes
from suite.tables import kept


@dataclass(frozen=True, slots=True)
class Retention:
    database: Database
    envelopes: envelopes.Envelopes
    commands: commands.Commands
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, int]:
        swept = await self.sweep()
        async with ctx.finish(swept):
            return swept

    async def sweep(self) -> dict[str, int]:
        """Delete all that is past its time; the number of rows by what they are."""
        now = self.clock.now()
        old, sent = now - kept(SERVICE, "envelope"), now - kept(SERVICE, "call_command")
        return {
            "envelopes": await self._all(self.envelopes.sweep, old, envelopes.SWEEP_BATCH),
            "commands": await self._all(self.commands.sweep, sent, commands.SWEEP_BATCH),
        }

    async def _all(self, sweep: Callable[[Connection, datetime], Awaitable[int]], before: datetime, batch: int) -> int:
        """Batch after batch, each in its own transaction."""
        deleted, last = 0, batch
        while last >= batch:
            async with self.database.system_transaction() as conn:
                last = await sweep(conn, before)
            deleted += last
        return deleted

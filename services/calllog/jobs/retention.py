"""retention.sweep: delete the bodies of webhooks and the commands to calls past their time. The calls stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from libs.clock import Clock
from libs.jobs import JobContext
from services.calllog.operations import SERVICE
from services.calllog.storage.commands import Commands
from services.calllog.storage.envelopes import Envelopes
from suite.tables import kept


@dataclass(frozen=True, slots=True)
class Retention:
    envelopes: Envelopes
    commands: Commands
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            now = self.clock.now()
            return {
                "envelopes": await self.envelopes.sweep(conn, now - kept(SERVICE, "envelope")),
                "commands": await self.commands.sweep(conn, now - kept(SERVICE, "call_command")),
            }

"""call.watch and command.expire: what follows when the party that runs a call is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.jobs import JobContext
from services.calllog.domain.commands import PENDING, timed_out
from services.calllog.operations.commands import settle
from services.calllog.operations.live_calls import LiveCalls
from services.calllog.storage.commands import Commands


@dataclass(frozen=True, slots=True)
class LiveCallJobs:
    live: LiveCalls
    commands: Commands

    async def watch(self, ctx: JobContext) -> Mapping[str, Any]:
        """Look whether the call is lost; while it is live, another job waits. A later look at a lost call of a provider
        finds whether it was reported."""
        args, result = ctx.job.args, dict[str, Any]()
        check = self.live.check_reported if "awaits" in args else self.live.check_lost
        async with ctx.finish(result) as conn:
            result["found"] = await check(conn, ctx.job.org_id, str(args["callId"]))
        return result

    async def expire(self, ctx: JobContext) -> Mapping[str, Any]:
        """Settle a command that no one acknowledged in its time."""
        org_id, args, result = ctx.job.org_id, ctx.job.args, dict[str, Any]()
        async with ctx.finish(result) as conn:
            command = await self.commands.lock(conn, org_id, str(args["callId"]), str(args["commandId"]))
            result["timedOut"] = command.status == PENDING
            if command.status == PENDING:
                await settle(conn, self.commands, timed_out(command))
        return result

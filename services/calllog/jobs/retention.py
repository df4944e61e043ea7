"""retention.sweep: delete the bodies of webhooks past their time. The calls that they made stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from libs.clock import Clock
from libs.jobs import JobContext
from services.calllog.operations import SERVICE
from services.calllog.storage.envelopes import Envelopes
from suite.tables import kept


@dataclass(frozen=True, slots=True)
class Retention:
    envelopes: Envelopes
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            return {"envelopes": await self.envelopes.sweep(conn, self.clock.now() - kept(SERVICE, "envelope"))}

"""retention.sweep: events, deliveries and mails past their time, in batches so that no statement holds locks long.
Deliveries that no job will settle any more end here as failed.
"""

from __future__ import annotations

import datetime

from libs.clock import utcnow
from libs.jobs import JobContext
from libs.postgres import Database
from services.realtime.config import RealtimeSettings
from services.realtime.storage import deliveries, event_log, mailbox
from suite.tables import kept

# Rows per DELETE, so that no statement holds locks for long.
_BATCH = 1_000
_DELIVERY_DAYS = kept("realtime", "webhook_delivery").days


class Sweep:
    def __init__(self, settings: RealtimeSettings) -> None:
        self._event_days = settings.retention_days
        self._mail_days, self._mails_kept = settings.mail_retention_days, settings.mail_kept

    async def __call__(self, ctx: JobContext) -> dict[str, int]:
        border = utcnow() - datetime.timedelta(days=self._event_days)
        swept = {"events": 0, "deliveries": 0, "orphans": 0, "mails": 0}
        more = True
        while more:
            more = await self._batch(ctx.db, border, swept) >= _BATCH
        return swept

    async def _batch(self, database: Database, border: datetime.datetime, swept: dict[str, int]) -> int:
        async with database.system_transaction() as connection:
            gone = {
                "events": await event_log.sweep(connection, border, _BATCH),
                "deliveries": await deliveries.sweep(connection, _DELIVERY_DAYS, _BATCH),
                "orphans": await deliveries.close_orphans(connection, _BATCH),
                "mails": await mailbox.sweep(connection, self._mail_days, self._mails_kept, _BATCH),
            }
        for name, count in gone.items():
            swept[name] += count
        return max(gone.values())

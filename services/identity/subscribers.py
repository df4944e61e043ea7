"""Identity's subscription: the record of every write of a user, from all services."""

from __future__ import annotations

from collections.abc import Mapping

from libs.events import Handler, ReceivedEvent
from libs.postgres import Connection
from services.identity.mapping.audit import entry_from_event
from services.identity.storage.audit import AuditLog


class Subscribers:
    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def handlers(self) -> Mapping[str, Handler]:
        return {"audit.recorded": self.on_audit}

    async def on_audit(self, conn: Connection, event: ReceivedEvent) -> None:
        """Keep it; parts of one request in several services are one entry."""
        await self._log.add(conn, entry_from_event(event))

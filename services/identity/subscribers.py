"""Identity's subscription: the record of every write of a user, from all services."""

from __future__ import annotations

from collections.abc import Sequence

from libs.events import ReceivedEvent, Subscriptions, Together
from libs.postgres import Connection
from services.identity.mapping.audit import entry_from_event
from services.identity.storage.audit import AuditLog


class Subscribers:
    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def handlers(self) -> Subscriptions:
        return {"audit.recorded": Together(self.on_audit)}

    async def on_audit(self, conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        """Keep them; parts of one request in several services are one entry."""
        await self._log.add(conn, events[0].org_id, [entry_from_event(event) for event in events])

"""The daily look at the records of proved hosts: a host whose record is gone for a week is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from libs.errors import Unavailable
from libs.events.outbox import append
from libs.postgres import Connection
from services.identity.domain.white_label import CHECK_EVERY, Checked, Host, checked_host
from services.identity.host_proofs import HostProofs
from services.identity.mapping.events import host_event
from services.identity.storage.white_labels import WhiteLabels

# Hosts of one run. A run an hour looks at 12,000 a day; more hosts are looked at less often.
MOST_AT_ONCE = 500
# Questions to name servers at a time. Each waits 4 s at most, so a run takes a minute where none answers.
_TOGETHER = 32
# A run begins some minutes after the one of the day before, so what it saw then counts as a day old.
_SLACK = timedelta(minutes=30)


class HostChecks:
    def __init__(self, labels: WhiteLabels, proofs: HostProofs) -> None:
        self._labels = labels
        self._proofs = proofs
        self._places = asyncio.Semaphore(_TOGETHER)

    async def look(self, now: datetime) -> list[tuple[Host, Checked]]:
        """What the records say now, without a transaction."""
        hosts = await self._labels.unchecked(now - CHECK_EVERY + _SLACK, MOST_AT_ONCE)
        return list(zip(hosts, await asyncio.gather(*(self._look_at(host, now) for host in hosts)), strict=True))

    async def keep(self, conn: Connection, found: list[tuple[Host, Checked]]) -> Mapping[str, int]:
        """Keep it and tell the organizations; in a transaction of all of them."""
        counts = {"checked": len(found), "missing": 0, "lost": 0}
        for seen, checked in found:
            if not await self._labels.save_checked(conn, seen, checked.host):
                continue
            if checked.is_lost:
                counts["lost"] += 1
                await append(conn, host_event("white_label_host.lost", checked.host))
            elif checked.is_new:
                counts["missing"] += 1
                await append(conn, host_event("white_label_host.missing", checked.host))
        return counts

    async def _look_at(self, host: Host, now: datetime) -> Checked:
        async with self._places:
            try:
                told = await self._proofs.find(host.record_name)
            except Unavailable:
                return checked_host(host, None, now)
        return checked_host(host, told, now)

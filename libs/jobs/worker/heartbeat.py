"""One heartbeat renews all leases of a worker and returns which of them are lost or cancelled."""

import asyncio
import logging
from collections.abc import Mapping

from libs.jobs.store import leases
from libs.jobs.worker.executor import Held
from libs.postgres import Database

_log = logging.getLogger("jobs")


async def keep_leases(db: Database, held: Mapping[str, Held]) -> None:
    """Runs until cancelled. Interrupts jobs that were cancelled, and jobs that another worker has taken over."""
    while True:
        await asyncio.sleep(leases.HEARTBEAT_SECONDS)
        kept = [one for one in held.values() if one.needs_lease]
        if not kept:
            continue
        try:
            ours, cancelled = await leases.heartbeat(db, [one.job for one in kept])
        except Exception:
            _log.warning("a heartbeat failed; trying again", exc_info=True)
            continue
        for one in kept:
            if one.job.id in cancelled:
                one.interrupt("cancelled")
            elif one.job.id not in ours and one.needs_lease and held.get(one.job.id) is one:
                one.interrupt("lost")

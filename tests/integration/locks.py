"""Waiting until a transaction waits for another one's lock, so that a test decides the order of two writes."""

from __future__ import annotations

import asyncio

from libs.postgres import Database

# PostgreSQL's locks are of the whole cluster, whose databases belong to other modules and may be busy too.
_WAITING = """select count(*) from pg_locks l join pg_stat_activity a using (pid)
    where not l.granted and a.datname = current_database() and l.locktype like $1"""


async def someone_waits(database: Database, locktype: str = "%") -> None:
    """Until a transaction of this database waits for a lock (of this type, as pg_locks names it); TimeoutError after
    60 s."""
    async with asyncio.timeout(60):
        while not await database.system_fetchval(_WAITING, locktype):
            await asyncio.sleep(0.01)

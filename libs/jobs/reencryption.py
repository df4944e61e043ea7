"""secrets.reencrypt: rewrites what a service stores encrypted under the key that encrypts now.

Each value is decrypted and encrypted in place, unless it was changed meanwhile. A second run finds nothing to do. A
value that no key opens is counted and left. It must not know what the values are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from libs.crypto import DecryptionError, Envelope
from libs.errors import AppError
from libs.jobs.context import JobContext
from libs.jobs.enqueue import Enqueuer
from libs.jobs.errors import Snooze
from libs.jobs.kind import JobKind
from libs.postgres import Connection, Database, Record
from libs.postgres.sealed import SealedColumn

if TYPE_CHECKING:
    from libs.bus import Bus

NAME = "secrets.reencrypt"
# Values of one transaction. More: rows stay locked for longer.
_BATCH = 50
# Seconds until a job looks again whether this process has the key that it is about.
_KEY_SECONDS = 3.0
# Seconds until every process of an installation has read a changed key file; a kubelet takes up to two minutes. A
# second job then finds what was encrypted meanwhile under the key of before.
_PROPAGATION_SECONDS = 180.0
# Seconds until a job that could not be written is written again.
_AGAIN_SECONDS = 5.0

_log = logging.getLogger(__name__)


def reencryption_kind(service: str) -> JobKind:
    return JobKind(NAME, service=service, timeout_seconds=3600.0, unique_by=("kid",))


class Reencryption:
    def __init__(self, kind: JobKind, envelope: Envelope, columns: Sequence[SealedColumn]) -> None:
        self.kind = kind
        self._envelope = envelope
        self._columns = columns
        self._wanted = asyncio.Event()

    def take_keys(self, keys: Sequence[str]) -> None:
        """Encrypt anew where several keys are known, so that all but the first can be dropped."""
        self._envelope.replace(keys)
        if len(keys) > 1:
            self._wanted.set()
            asyncio.get_running_loop().call_later(_PROPAGATION_SECONDS, self._wanted.set)

    async def start_jobs(self, database: Database, bus: Bus, stop: asyncio.Event) -> None:
        """Write a job whenever keys were taken, until `stop`. Workers that do so together write one."""
        stopped = asyncio.ensure_future(stop.wait())
        jobs = Enqueuer(database, bus)
        while not stop.is_set():
            wanted = asyncio.ensure_future(self._wanted.wait())
            await asyncio.wait((wanted, stopped), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                wanted.cancel()
                return
            self._wanted.clear()
            try:
                await jobs.enqueue(self.kind.new("", {"kid": self._envelope.current}))
            except AppError as error:
                _log.warning("a job that encrypts anew could not be written: %s", error.reason)
                self._wanted.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _AGAIN_SECONDS)

    async def run(self, ctx: JobContext) -> Mapping[str, int]:
        """Encrypt anew what another key encrypted; how many values, and how many that no key opens."""
        kid = str(ctx.job.args["kid"])
        if kid != self._envelope.current:
            raise Snooze(_KEY_SECONDS, "another_key_encrypts_here")
        counts = [await self._count(ctx.db, column, kid) for column in self._columns]
        total, done, unreadable = sum(counts), 0, 0
        for column in self._columns:
            after: tuple[str, ...] = ()
            while rows := await self._next(ctx.db, column, kid, after):
                after = tuple(rows[-1][name] for name in column.key)
                async with ctx.db.system_transaction() as conn:
                    for row in rows:
                        unreadable += not await self._rewrite(conn, column, row)
                done += len(rows)
                await ctx.progress(min(99, 100 * done // max(1, total)), f"{done} of {total}")
        _log.info("stored secrets are encrypted anew", extra={"values": done - unreadable, "kid": kid})
        if unreadable:
            _log.error("values that no key opens", extra={"count": unreadable})
        return {"reencrypted": done - unreadable, "unreadable": unreadable}

    async def _count(self, database: Database, column: SealedColumn, kid: str) -> int:
        sql = f"select count(*) from {column.table} where {column.stale}"
        return int(await database.system_fetchval(sql, kid) or 0)

    async def _next(self, database: Database, column: SealedColumn, kid: str, after: tuple[str, ...]) -> list[Record]:
        """The values behind the row `after`, in the order of the primary key."""
        keys = ", ".join(column.key)
        beyond = f"and ({keys}) > ({', '.join(f'${n}' for n in range(2, 2 + len(after)))})" if after else ""
        sql = (
            f"select {', '.join((*column.key, *column.beside))}, {column.column} as sealed from {column.table} "
            f"where {column.stale} {beyond} order by {keys} limit {_BATCH}"
        )
        return list(await database.system_fetch(sql, kid, *after))

    async def _rewrite(self, conn: Connection, column: SealedColumn, row: Record) -> bool:
        place = column.place(row)
        try:
            fresh = self._envelope.encrypt(self._envelope.decrypt(row["sealed"], place), place)
        except DecryptionError:
            return False
        same = " and ".join(f"{name} = ${number}" for number, name in enumerate(column.key, start=3))
        sql = f"update {column.table} set {column.column} = $1 where {column.column} = $2 and {same}"
        await conn.execute(sql, fresh, row["sealed"], *(row[name] for name in column.key))
        return True

"""One fault run's stores, schema, writers and their history. Durable stores: what is acknowledged is on disk."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from libs.bus import Bus
from libs.config import ServiceSettings, load
from libs.errors import AppError
from libs.ids import new_id
from libs.jobs import JobKind
from libs.postgres import Connection, Database
from libs.postgres.migrate import migrate
from local.runner.keys import Keys
from local.stores import Stores, run_sql
from tests.faults.fleet import Fleet
from tests.faults.worker import MIGRATIONS, SERVICE

ORGS = 7


@dataclass
class History:
    """What the writers asked for and what they were told: ok, or unknown (no answer; it may have happened)."""

    invoked: int = 0
    ok: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    slowest: float = 0.0


class Scene:
    def __init__(self, stores: Stores, db: Database, bus: Bus, fleet: Fleet, folder: Path) -> None:
        self.stores = stores
        self.db = db
        self.bus = bus
        self.fleet = fleet
        self.outside_file = folder / "outside"
        self.history = History()

    async def write(self, count: int, rate: float) -> None:
        """`count` writes at `rate` a second, each a row and its job in one transaction; every tenth job writes nothing
        here but calls outside."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as writes:
            for number in range(count):
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
                writes.create_task(self._write_one(number))

    async def _write_one(self, number: int) -> None:
        operation, org_id = new_id("op"), f"org_{number % ORGS}"
        self.history.invoked += 1
        invoked = time.monotonic()
        try:
            async with self.db.transaction(org_id) as conn:
                await conn.execute("insert into written (operation, org_id) values ($1, $2)", operation, org_id)
                await self._enqueue(conn, "effect.direct", org_id, operation)
                if number % 10 == 0:
                    await self._enqueue(conn, "effect.outside", org_id, operation)
        except AppError:
            self.history.unknown.add(operation)
        else:
            self.history.ok.add(operation)
        self.history.slowest = max(self.history.slowest, time.monotonic() - invoked)

    async def _enqueue(self, conn: Connection, kind: str, org_id: str, operation: str) -> None:
        await JobKind(kind, service=SERVICE).enqueue(conn, org_id, {"operation": operation})

    async def unfinished(self) -> int:
        return int(await self.db.system_fetchval(
            """select (select count(*) from job where state in ('scheduled', 'queued', 'running'))
                + (select count(*) from effect d where kind = 'direct' and not exists
                    (select 1 from effect e where e.operation = d.operation and e.kind = 'echo'))"""
        ))  # fmt: skip

    async def running(self, worker: str) -> list[str]:
        """The jobs that the worker holds."""
        rows = await self.db.system_fetch("select id from job where state = 'running' and worker = $1", worker)
        return [row["id"] for row in rows]

    async def until_quiet(self, seconds: float) -> float:
        """Wait until every job ended and every event arrived; how long that took. Dead workers are started again."""
        begun = time.monotonic()
        while await self.unfinished():
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"{await self.unfinished()} jobs or events did not come to their end")
            self.fleet.revive()
            await asyncio.sleep(0.1)
        return time.monotonic() - begun

    async def lose_nats(self, seconds: float) -> None:
        """kill -9 NATS, delete everything it stored, and bring an empty one back."""
        nats = self.stores.all["nats"]
        nats.kill()
        for path in sorted(nats.data.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        await asyncio.sleep(seconds)
        nats.start()

    async def restarts(self) -> list[float]:
        """Seconds from a worker's death to the next start of each job that died with it."""
        rows = await self.db.system_fetch(
            """select a.worker, extract(epoch from least(
                (select min(n.started_at) from job_attempt n
                 where n.job_id = a.job_id and n.started_at > a.started_at),
                (select j.started_at from job j where j.id = a.job_id and j.started_at > a.started_at)
            ))::float8 as again
            from job_attempt a where a.outcome = 'stalled'"""
        )
        died = self.fleet.died_at
        return sorted(row["again"] - died[row["worker"]] for row in rows if row["again"] and row["worker"] in died)

    async def problems(self) -> list[str]:
        """What the history and the database disagree about; empty is the promise."""
        written = {row["operation"] for row in await self.db.system_fetch("select operation from written")}
        effects = Counter(
            (row["operation"], row["kind"]) for row in await self.db.system_fetch("select operation, kind from effect")
        )
        found = [f"{len(lost)} acknowledged writes lost" for lost in [self.history.ok - written] if lost]
        for kind in ("direct", "echo"):
            missing = [operation for operation in written if effects[operation, kind] == 0]
            doubled = [key for key, count in effects.items() if key[1] == kind and count > 1]
            strange = [key for key in effects if key[1] == kind and key[0] not in written]
            for what, keys in (("missing", missing), ("doubled", doubled), ("without a write", strange)):
                found += [f"{len(keys)} {kind} effects {what}"] if keys else []
        states = await self.db.system_fetch(
            "select state, count(*) as n from job where state <> 'completed' group by 1"
        )
        found += [f"{row['n']} jobs {row['state']}" for row in states]
        return found + await self._outside_problems()

    async def _outside_problems(self) -> list[str]:
        rows = await self.db.system_fetch("select id from job where kind in ('effect.direct', 'effect.outside')")
        jobs, called = {row["id"] for row in rows}, Counter(self.outside_file.read_text("ascii").split())
        found = []
        if missing := jobs - called.keys():
            found.append(f"{len(missing)} outside calls missing")
        if strange := {key for key in called if key not in jobs}:
            found.append(f"{len(strange)} outside calls under a foreign key")
        return found

    def repeated_outside(self) -> int:
        return sum(count - 1 for count in Counter(self.outside_file.read_text("ascii").split()).values())


@contextlib.asynccontextmanager
async def scene(workers: int) -> AsyncIterator[Scene]:
    """Stores, an empty schema, `workers` processes; everything ends with the block."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        (folder / "outside").touch()
        with Stores(folder) as stores:
            environment = await _environment(stores, folder)
            settings = load(ServiceSettings, environment)
            db = await Database.open(settings, application_name="faults")
            bus = await Bus.connect(settings.nats_url, "faults")
            db.announce_through(bus.announce)
            fleet = Fleet(workers, environment, folder / "logs")
            try:
                yield Scene(stores, db, bus, fleet, folder)
            finally:
                await asyncio.to_thread(fleet.stop)
                await bus.close()
                await db.close()


async def _environment(stores: Stores, folder: Path) -> dict[str, str]:
    keys = Keys.ephemeral((SERVICE,))
    run_sql(stores.postgres_admin_dsn, "create database faults")
    environment = {
        **keys.service_environment(SERVICE),
        "DATABASE_ADMIN_URL": _url(stores.postgres_admin_dsn),
        "DATABASE_URL": _url(stores.postgres_admin_dsn, f"{SERVICE}_app", keys.role_password(SERVICE, "app")),
        "DATABASE_SYSTEM_URL": _url(
            stores.postgres_admin_dsn, f"{SERVICE}_system", keys.role_password(SERVICE, "system")
        ),
        "NATS_URL": stores.nats_url,
        "REDIS_URL": stores.redis_url,
        "POOL_MAX": "10",
        "OUTSIDE_FILE": str(folder / "outside"),
    }
    await migrate(load(ServiceSettings, environment), SERVICE, MIGRATIONS)
    return environment


def _url(dsn: str, user: str | None = None, password: str | None = None) -> str:
    parts = urlsplit(dsn)
    login = f"{user or parts.username}:{password or parts.password}"
    return urlunsplit((parts.scheme, f"{login}@{parts.hostname}:{parts.port}", "/faults", "", ""))

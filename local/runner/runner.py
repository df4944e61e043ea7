"""The runner: starts stores, migrations, services, gateway and nginx in that order, keeps them, stops them in reverse.

One process owns all others; they die with it. `run` tells its caller how far it is by lines: steps, then `ready`, or
`failed: …`. Knows no command line and prints nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.paths import ROOT
from local.processes.forking import Template
from local.processes.ports import any_ports, fixed_ports, require_free
from local.processes.probes import http_ready, tcp_ready
from local.processes.process import Child, Command, inherited_environment
from local.runner import first_organization, migrations, nginx
from local.runner.accounts import bus_users
from local.runner.external import require_answers
from local.runner.folder import Folder, is_alive
from local.runner.health import unhealthy_reason
from local.runner.keys import Keys
from local.runner.ownership import require_own
from local.runner.secret_files import by_file
from local.runner.supervisor import Supervised, Supervisor
from local.runner.topology import (
    STORE_PORTS,
    Part,
    Plan,
    Scale,
    StoreUrls,
    database_environment,
    is_setting,
    make_plan,
)
from local.stores import Store, Stores, run_sql
from suite.services import SERVICES

# The name of the embedded database; a database of the caller's has its own in the URL.
DATABASE = "echosenseix"
# What the migrations print when the database has files that this checkout lacks.
CHANGED_HISTORY = "MigrationError"
MIGRATION_HINT = "If the local data may go: `make reset` begins anew."
# The kernel's words in PostgreSQL's message.
DISK_FULL = "No space left on device"
# Seconds for all processes of a rank to answer; below 5 on 2 busy cores, more only on a machine that swaps.
READY_SECONDS = 60.0
# Seconds to leave before SIGKILL: above the drain of a process (DRAIN_SECONDS, 10 s).
STOP_SECONDS = 15.0
# What every service imports, loaded once in a template of which their processes are forks; no service's own modules, so
# that none depends on what another one imported.
SHARED_MODULES = ("uvloop", "libs.runtime.service", "libs.rpc.server", "libs.http", "libs.rpc.masks", "suite.tables")
# From the outside in: no process loses what it still needs to finish its requests.
STOP_ORDER = ("nginx", "gateway", "serve", "work", "stores")


class StartFailed(RuntimeError):
    """The suite could not be started. The message says what to correct."""


@dataclass(frozen=True)
class Options:
    """What the caller chose; `given` is its environment."""

    scale: Scale
    free_ports: bool
    given: Mapping[str, str]

    @property
    def requested(self) -> dict[str, str]:
        """What distinguishes one run from another, to notice that a running suite is not the one asked for. Settings
        are compared by a digest, because URLs hold passwords."""
        settings = {name: value for name, value in self.given.items() if value and is_setting(name, self.given)}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        scale = json.dumps(dict(self.scale.counts), sort_keys=True)
        modes = {name.lower(): self.given.get(name, "") for name in ("LIMITS", "PRELOAD")}
        return {"scale": scale, **modes, "settings": digest}


class Runner:
    """One run of the suite in one folder."""

    def __init__(
        self, folder: Folder, options: Options, tell: Callable[[str], None], beside: Beside | None = None
    ) -> None:
        self.beside = beside
        self.folder = folder
        self.options = options
        self.tell = tell
        self.port = any_ports() if options.free_ports else fixed_ports()
        self.keys = Keys.load_or_create(folder.keys_file)
        self.state = "starting"
        self.stores = self._embedded_stores()
        self.urls = self._store_urls()
        self.template: Template | None = None
        self.plan: Plan | None = None
        self.parts: dict[str, Part] = {}
        self.supervisor = Supervisor(self.publish)
        self.members: dict[str, list[Supervised]] = {rank: [] for rank in STOP_ORDER}

    def _embedded_stores(self) -> Stores:
        given = self.options.given
        replaced = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "nats": "NATS_URL"}
        parts = [part for part, variable in replaced.items() if not given.get(variable)]
        ports = {name: self.port(planned) for name, planned in STORE_PORTS.items()}
        return Stores(
            self.folder.path / "data", ports, parts=parts, logs=self.folder.logs, bus_users=bus_users(self.keys)
        )

    def _store_urls(self) -> StoreUrls:
        given, embedded = self.options.given, self.stores.all
        own = f"{embedded['postgres'].url.rpartition('/')[0]}/{DATABASE}" if "postgres" in embedded else ""
        database = own or given["DATABASE_URL"]
        return StoreUrls(
            database=database,
            direct=own or given.get("DATABASE_DIRECT_URL") or database,
            redis=embedded["redis"].url if "redis" in embedded else given["REDIS_URL"],
            nats=embedded["nats"].url if "nats" in embedded else given["NATS_URL"],
            has_bus_users="nats" in embedded,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until the start fails; in both cases nothing is left running."""
        started = time.monotonic()
        keeping: asyncio.Task[None] | None = None
        # A second event, because supervision has to go on until the start has failed or stopped.
        leaving = asyncio.Event()
        try:
            await asyncio.to_thread(self._wait_for_leftovers)
            # Before anything starts: a wrong URL is reported at once and not as a service that never gets ready.
            await asyncio.to_thread(require_answers, self.options.given)
            # Before the stores: it imports while they start.
            self.template = self._shared_template()
            self._start_stores()
            keeping = asyncio.create_task(self.supervisor.run(leaving))
            await self._start_suite()
            self.state = "ready"
            self.publish()
            self.tell(f"ready {time.monotonic() - started:.1f}")
            await (self.beside(self, stop) if self.beside else stop.wait())
        finally:
            leaving.set()
            if keeping is not None:
                await keeping
            await self._stop_all()

    def _shared_template(self) -> Template | None:
        # It makes children of its own children of ours, which only Linux can.
        if sys.platform != "linux" or self.options.given.get("PRELOAD") == "off":
            return None
        return Template(SHARED_MODULES, {**inherited_environment(), "PYTHONUNBUFFERED": "1"}, ROOT)

    def _wait_for_leftovers(self) -> None:
        """After a runner's death by kill -9 its children need a moment to go; the ports are theirs until then."""
        document = self.folder.read_run()
        pids = [entry.get("pid") for entry in document.get("processes", [])]
        pids += [store.get("pid") for store in document.get("stores", {}).values()]
        deadline = time.monotonic() + 8
        while any(pid and is_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _start_stores(self) -> None:
        if not self.options.free_ports:
            for name, store in self.stores.all.items():
                require_free(STORE_PORTS[name], store.name)
        self.tell("stores")
        self.stores.start()
        members = [Supervised(name, store.child, store.ready, ready=True) for name, store in self.stores.all.items()]
        self.members["stores"] = members
        self.supervisor.members += members
        self.publish()
        if "postgres" in self.stores.all:
            admin = self.stores.postgres_admin_dsn
            if DATABASE not in run_sql(admin, "select datname from pg_database").split():
                run_sql(admin, f"create database {DATABASE}")

    async def _start_suite(self) -> None:
        plan = self.plan = make_plan(
            self.urls, self.keys, self.folder.path, self.options.scale, self.port, self.options.given
        )
        if not self.options.free_ports:
            self._require_ports(plan)
        self.tell("migrations")
        await self.migrate()
        self.tell("services")
        serving = self._start("serve", plan) + self._start("gateway", plan)
        if nginx.needed(plan):
            self._start_nginx(plan)
        await self.supervisor.wait_ready([*serving, *self.members["nginx"]], READY_SECONDS)
        # Workers start while the first organization is made; nothing of that needs them.
        working = self._start("work", plan)
        if self.members["gateway"]:
            self.tell("first organization")
            await asyncio.to_thread(first_organization.ensure, self.folder.credentials_file, plan.urls)
        await self.supervisor.wait_ready(working, READY_SECONDS)
        if self.members["gateway"]:
            await self._require_health(plan)

    async def _require_health(self, plan: Plan) -> None:
        stores = {"DATABASE_URL": self.urls.database, "REDIS_URL": self.urls.redis, "NATS_URL": self.urls.nats}
        reason = await asyncio.to_thread(unhealthy_reason, plan.urls["url"], stores)
        if reason:
            raise StartFailed(f"The suite started and is not healthy: {reason}.")

    def _require_ports(self, plan: Plan) -> None:
        for part in plan.parts:
            for number in part.ports:
                require_free(number, part.name)
        for number in nginx.ports(plan):
            require_free(number, "nginx")

    async def migrate(self) -> None:
        embedded = self.stores.all.get("postgres")
        stamp = self.folder.path / "data" / "migrated"
        # Only an embedded cluster can be recognized by its files; another database is migrated at each start.
        wanted = migrations.fingerprint(embedded.data, self.folder.keys_file) if embedded else ""
        if wanted and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return
        await asyncio.to_thread(require_own, self.urls.direct, self.keys, self.folder.keys_file, self.options.given)
        await self._run_migrations()
        if wanted:
            stamp.write_text(wanted, encoding="ascii")

    async def _run_migrations(self) -> None:
        environments = {
            service: {
                **self.keys.service_environment(service),
                **database_environment(self.urls, self.keys, service),
                "DATABASE_ADMIN_URL": self.urls.direct,
            }
            for service in SERVICES
            if migrations.folder(service).is_dir()
        }
        # A process of its own: asyncpg and the engine leave with it, and the runner stays small.
        answer = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "local.runner.migrations"],
            input=json.dumps(environments).encode(),
            capture_output=True,
            check=False,
            cwd=ROOT,
            env=inherited_environment(),
        )
        if answer.returncode != 0:
            said = answer.stderr.decode(errors="replace").strip()
            raise StartFailed(self._migration_failure(said))

    def _migration_failure(self, said: str) -> str:
        """A hint to begin anew only where that helps: the embedded database has migrations that this checkout lacks."""
        text = f"The migrations failed:\n{said}"
        if DISK_FULL in said:
            return f"{text}\nThe disk is full: make room and run the command again. Nothing is lost."
        helps = "postgres" in self.stores.all and CHANGED_HISTORY in said
        return f"{text}\n{MIGRATION_HINT}" if helps else text

    def _start(self, rank: str, plan: Plan) -> list[Supervised]:
        parts = [part for part in plan.parts if part.role == rank]
        members = [
            Supervised(part.name, Child(self._command(part), self.template), partial(http_ready, part.ready_url))
            for part in parts
        ]
        self.parts |= {part.name: part for part in parts}
        self.members[rank] = members
        return self.supervisor.start(members)

    def _command(self, part: Part) -> Command:
        told = by_file(self.folder.path / "secrets" / part.name, part.environment)
        return Command(name=part.name, argv=part.argv, log=self.folder.log(part.name), environment=told, cwd=ROOT)

    def _start_nginx(self, plan: Plan) -> None:
        command = nginx.command(plan, self.folder.path / "nginx", self.folder.log("nginx"))
        front = nginx.ports(plan)
        member = Supervised("nginx", Child(command), lambda: all(tcp_ready(port) for port in front))
        self.members["nginx"] = self.supervisor.start([member])

    async def restart(self, names: list[str]) -> None:
        chosen = [
            member for rank in ("gateway", "serve", "work") for member in self.members[rank] if member.name in names
        ]
        await self.supervisor.restart(chosen)

    async def _stop_all(self) -> None:
        self.state = "stopping"
        self.publish()
        for rank in STOP_ORDER:
            await self.supervisor.stop(self.members[rank], STOP_SECONDS)
        if self.template is not None:
            self.template.close()
        self.stores.stop()
        self.state = "stopped"
        self.publish()

    def publish(self) -> None:
        # Writing would create the deleted folder again.
        if self.folder.is_gone():
            return
        self.folder.write_run(
            {
                "pid": os.getpid(),
                "state": self.state,
                "requested": self.options.requested,
                "urls": dict(self.plan.urls) if self.plan else {},
                "processes": [
                    self._process_entry(member)
                    for rank in ("gateway", "serve", "work", "nginx")
                    for member in self.members[rank]
                ],
                "stores": self._stores_entry(),
            }
        )

    def _process_entry(self, member: Supervised) -> dict[str, Any]:
        part = self.parts.get(member.name)
        known = {
            "service": part.service if part else "nginx",
            "role": part.role if part else "nginx",
            "index": part.index if part else 0,
            "pid": member.child.pid,
        }
        addresses: Mapping[str, str] = part.addresses if part else {}
        doors = {kind: addresses.get(kind) for kind in ("http", "grpc", "ws", "ops")}
        health = {"name": member.name, "state": member.state, "restarts": member.restarts, "lastExit": member.last_exit}
        return {**known, **doors, **health}

    def _stores_entry(self) -> dict[str, Any]:
        def own(name: str) -> dict[str, Any]:
            store: Store | None = self.stores.all.get(name)
            member = next((member for member in self.members["stores"] if member.name == name), None)
            state = {"state": member.state, "restarts": member.restarts} if member else {}
            return {"pid": store.pid if store else None, "data": str(store.data) if store else None, **state}

        return {
            "postgres": {"url": self.urls.database, "adminUrl": self.urls.direct, **own("postgres")},
            "redis": {"url": self.urls.redis, **own("redis")},
            "nats": {
                "url": self.urls.nats,
                "monitorUrl": self.stores.nats_monitor_url if "nats" in self.stores.all else None,
                **own("nats"),
            },
        }


Beside = Callable[[Runner, asyncio.Event], Awaitable[None]]


async def serve(folder: Folder, options: Options, tell: Callable[[str], None], beside: Beside | None = None) -> None:
    """Run the suite, and `beside` with it, until SIGTERM, SIGINT or SIGHUP; further signals change nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_watch_folder(folder, stop))
    runner = Runner(folder, options, tell, beside)
    running = asyncio.create_task(runner.run(stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done() and runner.state != "ready":
        running.cancel()  # asked to stop in the middle of the start
    stopping.cancel()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _watch_folder(folder: Folder, stop: asyncio.Event) -> None:
    """A suite whose folder was deleted could not be found or stopped by any command, so it stops itself."""
    while not folder.is_gone():  # noqa: ASYNC110 no event tells that a folder was deleted
        await asyncio.sleep(1)
    stop.set()

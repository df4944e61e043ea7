"""The identity service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.clock import SystemClock
from libs.events import OutboxRelay
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.ratelimit import RateLimiter
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main

from .config import IdentitySettings
from .domain.devices import KnownDevices
from .jobs import job_handlers
from .login_limits import LoginLimits
from .passwords import Passwords
from .servicer import IdentityServicer, Parts
from .storage.api_keys import ApiKeys
from .storage.authentication import Authentication
from .storage.people import People
from .storage.sessions import Sessions

SERVICE = "identity"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"
PUBLIC = tuple(f"/echosenseix.identity.v1.IdentityService/{name}" for name in ("Register", "Login", "Authenticate"))


async def serve(runtime: Runtime[IdentitySettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    limiter = await runtime.open(RateLimiter.open(settings.redis_url))
    passwords = await runtime.open(Passwords.open(settings.password_workers))
    cursors = CursorCodec.from_base64(settings.cursor_key)
    parts = Parts(
        database=database,
        people=People(database),
        sessions=Sessions(database, cursors),
        api_keys=ApiKeys(database, cursors),
        authentication=Authentication(database),
        passwords=passwords,
        limits=LoginLimits(limiter, lifted=settings.limits == "bench"),
        devices=KnownDevices(base64.b64decode(settings.cursor_key)),
        clock=SystemClock(),
        production=settings.production,
    )
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus)
    await runtime.serve_rpc(
        [
            (add_IdentityServiceServicer_to_server, IdentityServicer(parts)),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ],
        public_methods=PUBLIC,
    )


async def work(runtime: Runtime[IdentitySettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    sessions = Sessions(database, CursorCodec.from_base64(settings.cursor_key))
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, job_handlers(sessions, SystemClock())).run)


if __name__ == "__main__":
    service_main(SERVICE, IdentitySettings, serve=serve, work=work, migrations=MIGRATIONS)

"""Realtime's processes: serve (gRPC, sockets, event streams), work (jobs, relay, event log), migrate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from echosenseix.realtime.v1.realtime_pb2_grpc import (
    add_RealtimeServiceServicer_to_server,
    add_WebhookEndpointServiceServicer_to_server,
)
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.crypto import Envelope
from libs.events import OutboxRelay
from libs.http import OutboundClient, forbidden_address
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main

from .config import RealtimeSettings
from .doors.opening import Doors
from .jobs import job_handlers
from .protocol.tokens import ConnectionTokens
from .servicer import RealtimeServicer, WebhookEndpointServicer
from .storage.endpoints import Endpoints
from .storage.event_log import EventLog
from .storage.mailbox import Mailbox
from .subscribers import consumer

SERVICE = "realtime"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[RealtimeSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    cursors, tokens, log = (
        CursorCodec.from_base64(settings.cursor_key),
        ConnectionTokens(settings.token_keys),
        EventLog(database),
    )
    doors = await runtime.open(Doors.open(settings, bus, log, tokens))
    runtime.addresses.update(doors.addresses)
    runtime.background("positions", doors.watch)
    is_forbidden = partial(forbidden_address, allow=settings.outbound_allow)
    endpoints = WebhookEndpointServicer(
        database, Endpoints(database, cursors), Envelope(settings.encryption_keys), is_forbidden
    )
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus, gauges=doors.gauges)
    await runtime.serve_rpc(
        [
            (
                add_RealtimeServiceServicer_to_server,
                RealtimeServicer(settings, log, Mailbox(database, cursors), tokens),
            ),
            (add_WebhookEndpointServiceServicer_to_server, endpoints),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ]
    )


async def work(runtime: Runtime[RealtimeSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    handlers = job_handlers(settings, Envelope(settings.encryption_keys), client)
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("events", consumer(bus, database).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, handlers).run)


if __name__ == "__main__":
    service_main(SERVICE, RealtimeSettings, serve=serve, work=work, migrations=MIGRATIONS)

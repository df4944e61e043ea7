"""Realtime's processes: serve (gRPC, sockets, event streams), work (jobs, relay, event log), migrate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echosenseix.realtime.v1.realtime_pb2_grpc import (
    add_NotificationServiceServicer_to_server,
    add_RealtimeServiceServicer_to_server,
    add_WebhookEndpointServiceServicer_to_server,
)
from libs.http import OutboundClient, forbidden_address
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from suite.services import REALTIME as SERVICE
from suite.tables import QUOTAS

from .config import RealtimeSettings
from .doors.opening import Doors
from .jobs import job_handlers
from .outbound.unsubscribe import UnsubscribeLinks
from .protocol.tokens import ConnectionTokens
from .servicer import NotificationServicer, RealtimeServicer, WebhookEndpointServicer
from .storage.endpoints import SEALED, Endpoints
from .storage.event_log import EventLog
from .storage.mailbox import Mailbox
from .subscribers import Subscribers

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[RealtimeSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors = service.settings, service.database, service.cursors
    tokens, log = ConnectionTokens(settings.token_keys), EventLog(database)
    runtime.keys.follow("token_keys", tokens.replace)
    doors = await runtime.open(Doors.open(settings, service.bus, log, tokens))
    runtime.addresses.update(doors.addresses)
    runtime.background("positions", doors.watch)
    is_forbidden = partial(forbidden_address, allow=settings.outbound_allow)
    endpoints = WebhookEndpointServicer(database, Endpoints(database, cursors), service.envelope, is_forbidden)
    links = UnsubscribeLinks(service.envelope, settings.console_url)
    await service.serve(
        (
            add_RealtimeServiceServicer_to_server,
            RealtimeServicer(settings, log, Mailbox(database, cursors), tokens, doors.presence),
        ),
        (add_WebhookEndpointServiceServicer_to_server, endpoints),
        (add_NotificationServiceServicer_to_server, NotificationServicer(database, links)),
        gauges=doors.gauges,
    )


async def work(runtime: Runtime[RealtimeSettings]) -> None:
    service = await Service.open(runtime)
    settings = service.settings
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    handlers = job_handlers(settings, service.envelope, client)
    service.reencrypt(handlers, SEALED)
    service.work(handlers, Subscribers(service.bus).handlers())


if __name__ == "__main__":
    service_main(
        SERVICE.name, RealtimeSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip

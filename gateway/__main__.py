"""The gateway process: settings -> stubs -> application -> server. Wiring only.

`python -m gateway` serves; `python -m gateway openapi` writes the committed openapi.json.
"""

import asyncio
import base64
import hashlib
import sys
from functools import partial

from gateway.app import ROUTES, build_app
from gateway.clients import SuiteStatus, open_clients
from gateway.config import GatewaySettings
from gateway.http.idempotency import Fingerprints
from gateway.http.openapi import encode
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import RecentRequests
from gateway.operations import charts
from gateway.operations.metrics import metrics
from gateway.operations.services import services
from gateway.principals import Principals, identity_lookup
from gateway.routes.documentation import FILE, PAGE, about, page
from gateway.shared_principals import SharedPrincipals
from gateway.state import Gateway
from libs.bus import Bus
from libs.bus.subjects import GATEWAY_FIGURES, cache_invalidated
from libs.cache.classes import CLASSES, SESSION
from libs.cache.process import Caches
from libs.cache.spec import tuned
from libs.http.connection_limits import ConnectionLimits
from libs.http.server import HttpServer
from libs.keys import MacKeys
from libs.paging import CursorCodec
from libs.ratelimit import RateLimiter
from libs.rpc.principal import PrincipalMinter
from libs.runtime import Runtime, run_process
from libs.runtime.commands import IN_PRODUCTION


async def serve(runtime: Runtime[GatewaySettings]) -> None:
    settings = runtime.settings
    minter = PrincipalMinter(settings.principal_signing_key)
    runtime.keys.follow("principal_signing_key", minter.replace)
    clients = open_clients(settings, minter)
    runtime.on_close("clients", clients.close)
    caches = Caches(settings.redis_url)
    runtime.on_close("caches", caches.close)
    bus = await runtime.open(Bus.connect(settings.nats_url, "gateway"))
    await bus.subscribe_core(cache_invalidated("*"), caches.on_message)
    keys = MacKeys.from_settings(settings.cursor_key or (_shared_secret(settings),))
    runtime.keys.follow("cursor_key", keys.replace)
    sessions = tuned(CLASSES, settings.cache_ttls)[SESSION.name]
    principal_keys = keys.derived(partial(_derived, b"gateway principals"))
    shared = SharedPrincipals(identity_lookup(clients), caches, sessions, principal_keys)
    gateway = Gateway(
        settings=settings,
        clients=clients,
        principals=Principals(shared, shared.forget, shared.unshared),
        recent=RecentRequests(),
        status=SuiteStatus(clients.status),
        cursors=CursorCodec(keys.derived(partial(_derived, b"gateway cursors"))),
        fingerprints=Fingerprints(keys.derived(partial(_derived, b"gateway fingerprints"))),
        caches=caches,
        limiter=RateLimiter(caches.client),
        links=SignedLinks(keys.derived(partial(_derived, b"gateway links")), settings.public_url),
    )
    runtime.ops_page("/metrics", partial(metrics, gateway))
    runtime.ops_page("/health/services", partial(services, gateway))
    runtime.ops_page("/charts", charts.page)
    runtime.ops_page("/charts.json", partial(charts.data, gateway.history))
    await bus.subscribe_core(GATEWAY_FIGURES, gateway.history.on_message)
    runtime.background("charts", partial(charts.fill, gateway, bus))
    await asyncio.to_thread(gateway.console.compress)
    limits = ConnectionLimits(settings.connections_max, settings.connections_per_address)
    server = HttpServer(build_app(gateway), settings.http_address, drain_seconds=settings.drain_seconds, limits=limits)
    runtime.addresses["http"] = server.address
    runtime.background("http", server.run)
    await server.started()


def _derived(purpose: bytes, key: bytes) -> bytes:
    """32 secret bytes for one purpose, the same in all gateways, which share the key that they are derived from."""
    return hashlib.sha256(purpose + b"\0" + key).digest()


def _shared_secret(settings: GatewaySettings) -> str:
    """Where no CURSOR_KEY is set, the signing key: all gateways have it too."""
    return base64.b64encode(settings.principal_signing_key.encode()).decode()


def _run(settings: GatewaySettings) -> int:
    return Runtime(settings, "gateway", "serve").run(serve)


if __name__ == "__main__":
    if sys.argv[1:] == ["openapi"]:
        FILE.write_bytes(encode(ROUTES, about()))
        PAGE.write_text(page(), encoding="utf-8")
        sys.exit(0)
    required = ("principal_signing_key",)
    sys.exit(run_process("gateway", GatewaySettings, _run, require=required, in_production=IN_PRODUCTION))

"""Read this first: the layers that a request passes, in their order, and the list of routes. Nothing else."""

import hashlib
from typing import Any

from starlette.types import ASGIApp

from gateway.http.endpoint import Endpoint
from gateway.http.request import Options
from gateway.http.routing import Route, RouteTable
from gateway.middleware.authentication import Authentication
from gateway.middleware.authorization import Authorization
from gateway.middleware.compression import Compression
from gateway.middleware.cors import Cors
from gateway.middleware.edge_cache import EdgeCache
from gateway.middleware.problems import Problems
from gateway.middleware.request_id import RequestId
from gateway.middleware.routing import Routing
from gateway.middleware.security_headers import SecurityHeaders
from gateway.middleware.telemetry import Telemetry
from gateway.routes import (
    accounts,
    admin,
    agents,
    analytics,
    api_keys,
    billing,
    call_logs,
    console,
    dead_events,
    documentation,
    documents,
    health,
    inbound_webhooks,
    integrations,
    invitations,
    jobs,
    knowledge,
    members,
    organization,
    own_account,
    payments,
    quotas,
    realtime,
    sources,
    usage_events,
    verification,
    webhook_endpoints,
)
from gateway.schemas.shapes import SERVER_SET
from gateway.state import Gateway

ROUTES: tuple[Route[Any, Any], ...] = (
    *accounts.ROUTES,
    *own_account.ROUTES,
    *organization.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *quotas.ROUTES,
    *api_keys.ROUTES,
    *agents.ROUTES,
    *integrations.ROUTES,
    *knowledge.ROUTES,
    *sources.ROUTES,
    *documents.ROUTES,
    *call_logs.ROUTES,
    *inbound_webhooks.ROUTES,
    *billing.ROUTES,
    *usage_events.ROUTES,
    *payments.ROUTES,
    *realtime.ROUTES,
    *webhook_endpoints.ROUTES,
    *analytics.ROUTES,
    *jobs.ROUTES,
    *admin.ROUTES,
    *dead_events.ROUTES,
    *health.ROUTES,
    *documentation.ROUTES,
    *console.ROUTES,
    *verification.ROUTES,
)


def build_app(gateway: Gateway) -> ASGIApp:
    """The application, from the inside out: a request passes the last layer first."""
    settings = gateway.settings
    app: ASGIApp = Endpoint(gateway.fingerprints, SERVER_SET)
    if gateway.caches is not None:
        schema = hashlib.blake2b(documentation.FILE.read_bytes(), digest_size=8).hexdigest()
        app = EdgeCache(app, caches=gateway.caches, routes=ROUTES, schema=schema)
    app = Authorization(app)
    app = Authentication(
        app,
        principals=gateway.principals,
        cookie_name=settings.cookie_name,
        public_url=settings.public_url,
    )
    app = Routing(app, RouteTable(ROUTES))
    app = Compression(app)
    app = Problems(app)
    app = Cors(app, origins=settings.cors_origins)
    app = SecurityHeaders(app, over_tls=settings.over_tls)
    app = Telemetry(app, gateway.recent)
    return RequestId(app, state=gateway, options=Options(settings.public_url, settings.trusted_proxies))

"""Read this first: the layers that a request passes, in their order, and the list of routes. Nothing else."""

import hashlib
from typing import Any

from starlette.types import ASGIApp

from gateway.http.endpoint import Endpoint
from gateway.http.request import Options
from gateway.http.routing import Route, RouteTable
from gateway.middleware.admission import Admission, Lanes
from gateway.middleware.authentication import Authentication
from gateway.middleware.authorization import Authorization
from gateway.middleware.compression import Compression
from gateway.middleware.cors import Cors
from gateway.middleware.edge_cache import EdgeCache
from gateway.middleware.hot_reads import HotReads
from gateway.middleware.problems import Problems
from gateway.middleware.quick_refusals import QuickRefusals
from gateway.middleware.rate_limits import Policies, RateLimits, RefusedCredentials
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
    audit_logs,
    billing,
    call_logs,
    children,
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
    live_calls,
    members,
    notifications,
    operators,
    organization,
    own_account,
    payments,
    quotas,
    realtime,
    sources,
    usage_events,
    webhook_endpoints,
    well_known,
    white_label,
)
from gateway.schemas.shapes import SERVER_SET
from gateway.state import Gateway
from libs.cache.classes import CLASSES
from libs.cache.spec import tuned

ROUTES: tuple[Route[Any, Any], ...] = (
    *accounts.ROUTES,
    *own_account.ROUTES,
    *organization.ROUTES,
    *children.ROUTES,
    *white_label.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *notifications.ROUTES,
    *quotas.ROUTES,
    *api_keys.ROUTES,
    *audit_logs.ROUTES,
    *agents.ROUTES,
    *integrations.ROUTES,
    *knowledge.ROUTES,
    *sources.ROUTES,
    *documents.ROUTES,
    *call_logs.ROUTES,
    *live_calls.ROUTES,
    *inbound_webhooks.ROUTES,
    *billing.ROUTES,
    *usage_events.ROUTES,
    *payments.ROUTES,
    *realtime.ROUTES,
    *webhook_endpoints.ROUTES,
    *analytics.ROUTES,
    *jobs.ROUTES,
    *admin.ROUTES,
    *operators.ROUTES,
    *dead_events.ROUTES,
    *health.ROUTES,
    *documentation.ROUTES,
    *console.ROUTES,
    *well_known.ROUTES,
)


def build_app(gateway: Gateway) -> ASGIApp:
    """The application, from the inside out: a request passes the last layer first."""
    settings = gateway.settings
    app: ASGIApp = Endpoint(gateway.fingerprints, SERVER_SET)
    if gateway.caches is not None:
        schema = hashlib.blake2b(documentation.FILE.read_bytes(), digest_size=8).hexdigest()
        kinds = tuned(CLASSES, settings.cache_ttls)
        app = EdgeCache(app, caches=gateway.caches, routes=ROUTES, kinds=kinds, schema=schema)
    app = Authorization(app)
    policies = Policies(raised=settings.limits == "bench", instances=settings.instances)
    if gateway.limiter is not None:
        app = RateLimits(app, limiter=gateway.limiter, policies=policies, edge=gateway.caches is not None)
    lanes = Lanes(settings.places)
    app = Admission(app, lanes=lanes)
    app = Authentication(
        app,
        principals=gateway.principals,
        lanes=lanes,
        cookie_name=settings.cookie_name,
        public_url=settings.public_url,
    )
    if gateway.limiter is not None:
        app = RefusedCredentials(app, limiter=gateway.limiter, policies=policies, spent=gateway.principals.spent)
    table = RouteTable(ROUTES)
    app = Routing(app, table)
    app = Compression(app)
    app = Problems(app)
    app = Cors(app, origins=settings.cors_origins)
    app = SecurityHeaders(app, over_tls=settings.over_tls)
    app = telemetry = Telemetry(app, gateway.recent)
    app = outermost = RequestId(app, state=gateway, options=Options(settings.public_url, settings.trusted_proxies))
    if gateway.limiter is not None and gateway.caches is not None:
        refusals = QuickRefusals(lanes, table, telemetry, over_tls=settings.over_tls, cookie_name=settings.cookie_name)
        app = hot = HotReads(
            app, principals=gateway.principals, limiter=gateway.limiter, refusals=refusals, telemetry=telemetry
        )
        outermost.on_hot_read = hot.learn
    return app

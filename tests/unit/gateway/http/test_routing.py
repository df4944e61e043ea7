from typing import Any

import msgspec
import pytest
from starlette.responses import Response

from gateway.app import ROUTES
from gateway.http.request import Request
from gateway.http.routing import Route, RouteTable
from gateway.http.schema import AnyQuery
from gateway.routes.white_label import hostname
from providers.registry import PROVIDERS
from suite.services import AREAS


async def nothing(request: Request[Any, Any, Any]) -> Response:
    return Response()


def table(*routes: tuple[str, str]) -> RouteTable:
    return RouteTable(Route(method, path, nothing, "…") for method, path in routes)


def test_static_segments_win_over_parameters() -> None:
    routes = table(("GET", "/api/jobs/{id}"), ("GET", "/api/jobs/stats"))
    assert routes.match("GET", "/api/jobs/stats").template == "/api/jobs/stats"
    match = routes.match("GET", "/api/jobs/job_1")
    assert (match.template, match.params) == ("/api/jobs/{id}", {"id": "job_1"})


def test_an_unknown_path_has_no_methods_and_an_unknown_method_has_a_path() -> None:
    routes = table(("GET", "/api/agents"), ("POST", "/api/agents"))
    assert routes.match("GET", "/api/nope").allow == ""
    missed = routes.match("DELETE", "/api/agents")
    assert missed.route is None
    assert missed.allow == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("path", ["/api/agents/", "/api//agents", "/api", "/", "", "//api/agents", "/api/agents/x/y"])
def test_only_the_exact_path_matches(path: str) -> None:
    assert table(("GET", "/api/agents"), ("GET", "/api/agents/{id}")).match("GET", path).route is None


def test_head_is_served_by_get() -> None:
    match = table(("GET", "/api/agents")).match("HEAD", "/api/agents")
    assert match.route is not None
    assert match.route.method == "GET"


@pytest.mark.parametrize("segment", ["\x00", "a b", "é", "'; drop", "x" * 129, "%00"])
def test_a_segment_that_can_be_no_id_names_no_one(segment: str) -> None:
    assert table(("GET", "/api/agents/{id}")).match("GET", f"/api/agents/{segment}").params == {"id": "-"}


def test_one_operation_is_declared_once_and_a_place_has_one_name() -> None:
    with pytest.raises(ValueError, match="two routes"):
        table(("GET", "/a"), ("GET", "/a"))
    with pytest.raises(ValueError, match="called both"):
        table(("GET", "/a/{id}"), ("GET", "/a/{name}/x"))


PUBLIC = {
    ("GET", "/api/whitelabel/public"),
    ("GET", "/api/whitelabel/logos/{digest}"),
    ("POST", "/api/register"),
    ("POST", "/api/login"),
    ("POST", "/api/register/verify"),
    ("POST", "/api/register/resend"),
    ("GET", "/api/login/methods"),
    ("POST", "/api/notifications/unsubscribe/{token}"),
    ("POST", "/api/login/openid"),
    ("POST", "/api/login/openid/complete"),
    ("GET", "/openid"),
    ("POST", "/api/invitations/preview"),
    ("POST", "/api/invitations/accept"),
    *(("POST", provider.webhook.path) for provider in PROVIDERS.values()),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/style.css"),
    ("GET", "/docs/page.js"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/api/login/second-factor"),
    ("POST", "/api/invitations/accept"),
    ("POST", "/api/invitations/preview"),
    ("GET", "/"),
    ("GET", "/favicon.ico"),
    ("GET", "/.well-known/security.txt"),
    ("GET", "/app"),
    ("GET", "/app/{release}/{name}"),
    ("GET", "/app/{release}/{name}/{file}"),
    ("POST", "/api/webhooks/stripe"),
    ("GET", "/api/call-logs/{id}/recording/content"),
}
# Nothing of the organization but what the caller is, and what each service decides by the job's own area.
WITHOUT_SCOPE = {
    ("POST", "/api/logout"),
    ("GET", "/api/auth/user"),
    ("GET", "/api/auth/openid-links"),
    ("PUT", "/api/auth/openid-links/{id}"),
    ("GET", "/api/auth/sessions"),
    ("DELETE", "/api/auth/sessions/{id}"),
    ("GET", "/api/jobs"),
    ("GET", "/api/quotas"),
    ("GET", "/api/jobs/{id}"),
    ("POST", "/api/jobs/{id}/cancel"),
    ("POST", "/api/jobs/{id}/retry"),
    ("DELETE", "/api/auth/sessions"),
    ("GET", "/api/auth/openid-links"),
    ("PUT", "/api/auth/openid-links/{id}"),
    ("GET", "/api/auth/organizations"),
    ("GET", "/api/auth/second-factor"),
    ("POST", "/api/auth/email"),
    ("POST", "/api/auth/email/confirm"),
    ("POST", "/api/auth/organizations/switch"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/second-factor"),
    ("POST", "/api/auth/second-factor/confirm"),
    ("POST", "/api/auth/second-factor/disable"),
    ("POST", "/api/auth/second-factor/recovery-codes"),
    ("POST", "/api/auth/sessions/rotate"),
    ("GET", "/api/me/notifications"),
    ("PATCH", "/api/me/notifications"),
}


def test_exactly_these_routes_are_public() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.public} == PUBLIC


def test_every_other_route_needs_a_scope_that_exists() -> None:
    areas = (*AREAS, "audit")
    known = {"*", *(f"{area}:{verb}" for area in areas for verb in ("read", "write"))}
    unscoped = {(route.method, route.path) for route in ROUTES if not route.public and not route.scope}
    assert unscoped == WITHOUT_SCOPE
    assert {route.scope for route in ROUTES if route.scope} <= known


# POST because they carry a body, although they only read.
_READS_BY_POST = ("/api/knowledge-base/answer-context", "/api/knowledge-base/search", "/api/realtime/token")


def test_reads_need_read_and_writes_need_write() -> None:
    for route in ROUTES:
        if route.scope not in ("", "*") and route.path not in _READS_BY_POST:
            assert route.scope.endswith(":read" if route.method == "GET" else ":write"), route.path


def test_a_page_that_a_browser_opens_takes_any_query() -> None:
    """A link to a page carries what its sender added: an OpenID provider's `code`, a mailing's `utm_source`."""
    pages = [route for route in ROUTES if not route.documented or route.media_type == "text/html"]
    assert {"/", "/app", "/docs", "/openid"} <= {route.path for route in pages}
    assert [route.path for route in pages if route.query is not AnyQuery] == []
    assert [route.path for route in ROUTES if route.query is AnyQuery and route not in pages] == []


def test_no_query_parameter_must_be_sent() -> None:
    """The document says so of every parameter; what must be named is in the path."""
    needed = {
        f"{route.method} {route.path} {field.encode_name}"
        for route in ROUTES
        for field in msgspec.structs.fields(route.query)
        if field.required
    }
    assert needed == set()


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("App.example.com:8080", "app.example.com"),
        ("[::1]:80", "::1"),
        ("", ""),
        ("[", ""),
        ("a.example", "a.example"),
        ("a" * 254, ""),
    ],
)
def test_a_page_without_a_named_host_is_one_of_the_host_that_was_asked(authority: str, host: str) -> None:
    assert hostname(authority) == host


def test_answers_with_a_fresh_secret_are_marked() -> None:
    secret = {
        "ConnectionToken",
        "FreshApiKey",
        "FreshWebhookEndpoint",
        "LoggedIn",
        "RecoveryCodes",
        "Rotated",
        "OpenIdStart",
        "SecondFactorSecret",
    }
    for route in ROUTES:
        assert route.secret == (getattr(route.answer, "__name__", "") in secret), route.path


def test_every_patch_and_rule_bearing_write_on_a_thing_asks_for_the_thing_first() -> None:
    for route in ROUTES:
        if route.method == "PATCH":
            # The choices of mails are the caller's own: always there, and without a version.
            assert route.subject is not None or route.path == "/api/me/notifications", route.path
            assert route.body_kind == "merge_patch"


# Whether an organization exists is told to operators alone, by the write itself. An invitation is read by lists alone,
# and sending it again takes no fields that could be refused.
TOLD_BY_THE_WRITE = ("/api/admin/organizations/{id}/credits", "/api/users/invitations/{id}/resend")


@pytest.mark.parametrize(
    "route",
    [
        route
        for route in ROUTES
        if route.method in ("POST", "PATCH")
        and "{" in route.path
        and not route.public
        and route.path not in TOLD_BY_THE_WRITE
    ],
    ids=lambda route: route.path,
)
def test_what_changes_a_thing_can_ask_first_whether_there_is_one(route: Route[Any, Any]) -> None:
    assert route.subject is not None, "404 comes before 422"

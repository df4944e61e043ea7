"""The whole stack of middlewares and routes, as far as it answers without a service: every peer is away here."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import zstandard

from gateway.app import ROUTES, build_app
from gateway.clients import SuiteStatus, open_clients
from gateway.config import GatewaySettings
from gateway.console.assets import STATIC
from gateway.http.idempotency import Fingerprints
from gateway.http.routing import RouteTable
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import KNOWN_METHODS, RecentRequests
from gateway.operations.metrics import metrics
from gateway.operations.services import services
from gateway.principals import Credential, Principals
from gateway.routes.documentation import FILE
from gateway.state import Gateway
from libs.clock import utcnow
from libs.errors import Unauthenticated
from libs.paging import CursorCodec
from libs.rpc.principal import Principal, PrincipalMinter
from libs.telemetry.metrics import HTTP_SERVER_SECONDS
from suite.services import SERVICES

AWAY = "127.0.0.1:9"
ORIGIN = "https://app.example.com"
TABLE = RouteTable(ROUTES)
SCOPES = {"owner": frozenset({"*"}), "reader": frozenset({"agents:read"}), "none": frozenset[str]()}


async def lookup(credential: Credential) -> tuple[Principal, float]:
    """Tokens are the names of what they may do."""
    if credential.secret not in SCOPES:
        raise Unauthenticated("invalid_credentials", "Log in again, or send a valid API key.")
    return Principal(org_id="org_1", user_id="usr_1", scopes=SCOPES[credential.secret], issuer="gateway"), 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway() -> AsyncIterator[Gateway]:
    settings = GatewaySettings(
        principal_signing_key="gateway=" + "A" * 43 + "=",
        public_url="https://api.example.com",
        cors_origins=(ORIGIN,),
        peers=dict.fromkeys(SERVICES, AWAY),
    )
    clients = open_clients(settings, PrincipalMinter(settings.principal_signing_key))
    yield Gateway(
        settings=settings,
        clients=clients,
        principals=Principals(lookup),
        recent=RecentRequests(),
        status=SuiteStatus(clients.status),
        cursors=CursorCodec(b"k" * 32),
        fingerprints=Fingerprints(b"f" * 32),
        links=SignedLinks(b"l" * 32, settings.public_url),
    )
    await clients.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
        yield client


OWNER = {"Authorization": "Bearer owner"}


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["requestId"] == response.headers["x-request-id"]
    assert body["instance"] == response.request.url.path
    return response.status_code, body["code"]


async def test_every_guarded_route_refuses_strangers_before_anything_else(http: httpx.AsyncClient) -> None:
    for route in ROUTES:
        if route.public:
            continue
        path = route.path.replace("{", "").replace("}", "")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"Cookie": "x=y"}):
            response = await http.request(route.method, path + "?nonsense=1", headers=headers, content=b"{{{")
            assert response.status_code == 401, route
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_every_scoped_route_names_the_scope_that_is_missing(http: httpx.AsyncClient) -> None:
    for route in ROUTES:
        if not route.scope:
            continue
        path = route.path.replace("{", "").replace("}", "")
        response = await http.request(route.method, path, headers={"Authorization": "Bearer none"}, content=b"{{{")
        assert code(response) == (403, "missing_scope"), route
        assert route.scope in response.json()["detail"]


async def test_unknown_paths_and_methods(http: httpx.AsyncClient) -> None:
    assert code(await http.get("/nope")) == (404, "route_not_found")
    assert code(await http.get("/api/nope")) == (401, "unauthenticated")
    assert code(await http.get("/api/nope", headers=OWNER)) == (404, "route_not_found")
    assert code(await http.delete("/api/agents")) == (401, "unauthenticated")
    refused = await http.delete("/api/agents", headers=OWNER)
    assert code(refused) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert code(await http.delete("/api/login")) == (405, "method_not_allowed")
    assert code(await http.request("BREW", "/api/agents", headers=OWNER)) == (405, "method_not_allowed")


async def test_options_answers_on_every_path_without_a_credential(http: httpx.AsyncClient) -> None:
    for path in {route.path.replace("{", "").replace("}", "") for route in ROUTES}:
        response = await http.options(path)
        assert response.status_code == 204
        assert "OPTIONS" in response.headers["allow"]
        assert ("HEAD" in response.headers["allow"]) == ("GET" in response.headers["allow"])
    assert code(await http.options("/nope")) == (404, "route_not_found")


async def test_head_answers_as_get_does(http: httpx.AsyncClient) -> None:
    got, head = await http.get("/openapi.json"), await http.head("/openapi.json")
    assert (head.status_code, head.headers["content-type"]) == (got.status_code, got.headers["content-type"])


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"\xc3\xa9", b"<script>", b"a\tb"])
async def test_an_unsafe_request_id_is_replaced(http: httpx.AsyncClient, given: bytes) -> None:
    response = await http.get("/health/live", headers={b"X-Request-Id": given})
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_safe_request_id_comes_back(http: httpx.AsyncClient) -> None:
    response = await http.get("/nope", headers={"X-Request-Id": "trace-1_2.3"})
    assert response.headers["x-request-id"] == response.json()["requestId"] == "trace-1_2.3"


async def test_every_answer_tells_browsers_to_keep_their_hands_off(http: httpx.AsyncClient) -> None:
    for path in ("/nope", "/health/live", "/docs", "/api/agents"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["strict-transport-security"].startswith("max-age=")
        assert headers["x-frame-options"] == "DENY"


async def test_cors_is_an_exact_list(http: httpx.AsyncClient) -> None:
    ours = await http.get("/health/live", headers={"Origin": ORIGIN})
    assert ours.headers["access-control-allow-origin"] == ORIGIN
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert "Idempotency-Replayed" in ours.headers["access-control-expose-headers"]
    for origin in ("https://evil.example.com", ORIGIN + ".evil.com", "null", "http://app.example.com", "*"):
        response = await http.get("/health/live", headers={"Origin": origin})
        assert "access-control-allow-origin" not in response.headers
        assert "Origin" in response.headers["vary"]


async def test_a_preflight_of_ours_names_methods_and_headers(http: httpx.AsyncClient) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    response = await http.options("/api/agents/agt_1", headers=asked)
    assert "PATCH" in response.headers["access-control-allow-methods"]
    assert "Idempotency-Key" in response.headers["access-control-allow-headers"]
    foreign = await http.options("/api/agents/agt_1", headers={**asked, "Origin": "https://evil.example.com"})
    assert "access-control-allow-methods" not in foreign.headers


async def test_a_cookie_from_a_foreign_page_changes_nothing(http: httpx.AsyncClient) -> None:
    cookie = {"Cookie": "__Host-echosenseix_session=owner"}
    foreign: tuple[dict[str, str], ...] = (
        {"Origin": "https://evil.example"},
        {"Origin": ORIGIN},  # may read by CORS, but a cookie is for our own pages
        {"Origin": "http://api.example.com"},
        {"Origin": "https://api.example.com:8443"},
        {"Origin": "null"},
        {"Origin": "http://api.example.com", "Host": "api.example.com"},
        {"Origin": "https://evil.example", "Host": "app.customer.example"},
        {"Origin": "https://app.customer.example", "Host": "app.customer.example:8443"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Host": "evil.example"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    )
    for headers in foreign:
        forged = await http.post("/api/agents", json={"name": "x"}, headers={**cookie, **headers})
        assert code(forged) == (403, "origin_refused"), headers
    white_label = {"Origin": "https://voice.agency.example", "Host": "voice.agency.example"}
    for headers in (
        {"Origin": "https://api.example.com"},
        {"Sec-Fetch-Site": "same-origin"},
        {**white_label, "Sec-Fetch-Site": "same-origin"},
    ):
        own = await http.post("/api/agents", json={}, headers={**cookie, **headers})
        assert code(own) == (422, "validation_failed"), headers


async def test_large_answers_are_compressed_as_the_client_likes(http: httpx.AsyncClient) -> None:
    plain = await http.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for asked, used in (("gzip", "gzip"), ("gzip, zstd", "zstd"), ("zstd;q=0.1, gzip", "gzip")):
        packed = await http.get("/openapi.json", headers={"Accept-Encoding": asked})
        assert packed.headers["content-encoding"] == used
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < len(plain.content)
        assert "Accept-Encoding" in packed.headers["vary"]
    small = await http.get("/health/live", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers


def test_the_codec_that_clients_use_reads_ours() -> None:
    from gateway.http.compressed import COMPRESS

    assert zstandard.ZstdDecompressor().decompress(COMPRESS["zstd"](b"x" * 5000)) == b"x" * 5000


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"{", {}, (400, "malformed_json")),
        (b'{"name":"a","name":"a"}', {}, (400, "duplicate_key")),
        (b'{"name":"\xff"}', {}, (400, "invalid_utf8")),
        (b'{"name":"\\u0000"}', {}, (422, "validation_failed")),
        (b'{"nope":1}', {}, (422, "validation_failed")),
        (b"x" * (1024 * 1024 + 1), {}, (413, "payload_too_large")),
        (b"{}", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (b"{}", {"Idempotency-Key": "a b"}, (400, "invalid_idempotency_key")),
        (b"{}", {"Idempotency-Key": "x" * 256}, (400, "invalid_idempotency_key")),
        (b"{}", {"Idempotency-Key": ""}, (400, "invalid_idempotency_key")),
        (b"{}", {"X-Min-Version": "soon"}, (400, "invalid_header")),
        (b"", {}, (400, "malformed_json")),
    ],
)
async def test_a_bad_write_is_refused_before_any_service_is_asked(
    http: httpx.AsyncClient, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    sent = {**OWNER, "Content-Type": "application/json", **headers}
    refused = await http.post("/api/agents", content=content, headers=sent)
    assert code(refused) == expected
    if expected[1] in ("invalid_header", "invalid_idempotency_key"):
        assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/{name}" for name in headers]


async def test_a_repeated_credential_is_refused(http: httpx.AsyncClient) -> None:
    twice = [("Authorization", "Bearer owner"), ("Authorization", "Bearer none")]
    refused = await http.get("/api/agents", headers=twice)
    assert code(refused) == (400, "repeated_header")
    assert [error["pointer"].lower() for error in refused.json()["errors"]] == ["#/authorization"]


async def test_a_service_that_is_away_is_a_503_that_says_when_to_come_back(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/agents/agt_1", headers=OWNER)
    assert code(response) == (503, "service_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert AWAY not in response.text


async def test_health_is_honest_when_every_service_is_away(http: httpx.AsyncClient, gateway: Gateway) -> None:
    response = await http.get("/health")
    assert response.status_code == 503
    body = response.json()
    assert set(body) == {"status", "uptime", "connections", "pool"}
    assert body["status"] == "unhealthy"
    assert body["connections"] == {"database": "disconnected", "redis": "disconnected", "queue": "disconnected"}
    assert body["pool"] == {"total": 0, "idle": 0, "active": 0}
    assert (await http.get("/health/live")).json() == {"status": "live"}
    assert (await http.get("/health/ready")).json() == {"status": "ready"}
    page = await services(gateway)
    assert page.status == 503
    told = json.loads(page.body)["services"]
    assert [service["status"] for service in told] == ["unreachable"] * 6


@pytest.mark.parametrize("path", ["/metrics", "/health/services"])
async def test_operations_pages_are_not_on_the_public_port(http: httpx.AsyncClient, path: str) -> None:
    assert code(await http.get(path, headers=OWNER)) == (404, "route_not_found")


async def test_what_a_stranger_sends_makes_no_new_series(http: httpx.AsyncClient) -> None:
    for number in range(50):
        await http.get(f"/x{number}?y={number}", headers={"X-Y": str(number)})
        await http.request(f"BREW{number}", "/health")
        await http.get(f"/api/agents/agt_{number}", headers={"Authorization": f"Bearer {number}"})
    samples = [sample.labels for metric in HTTP_SERVER_SECONDS.collect() for sample in metric.samples]
    assert {labels["method"] for labels in samples} <= {*KNOWN_METHODS, "(other)"}
    assert {labels["route"] for labels in samples} <= {*(route.path for route in ROUTES), "(none)"}
    assert {labels["status"] for labels in samples} <= {"2xx", "3xx", "4xx", "5xx"}


async def test_metrics_name_the_papers_figures(http: httpx.AsyncClient, gateway: Gateway) -> None:
    await http.get("/api/agents/agt_1", headers=OWNER)
    text = (await metrics(gateway)).body.decode()
    for name in (
        "http_requests_per_second",
        'http_response_seconds{quantile="0.5"}',
        'http_response_seconds{quantile="0.95"}',
        'http_response_seconds{quantile="0.99"}',
        'http_errors_per_second{status_class="4xx"}',
        'http_errors_per_second{status_class="5xx"}',
        "suite_cache_hit_ratio",
        "suite_realtime_sockets",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "http_server_duration_seconds_bucket",
    ):
        assert name in text
    assert "agt_1" not in text


async def test_the_docs_page_shows_every_route_and_runs_its_own_script_alone(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    page, policy = answer.text, answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
    assert "unsafe" not in policy
    assert (await http.get("/docs/page.js")).headers["content-type"].startswith("text/javascript")
    for route in (route for route in ROUTES if route.documented):
        assert route.path in page
    assert (await http.get("/docs/style.css")).headers["content-type"].startswith("text/css")


async def test_the_served_document_is_the_committed_one(http: httpx.AsyncClient) -> None:
    served: dict[str, Any] = (await http.get("/openapi.json")).json()
    assert served == json.loads(FILE.read_bytes())
    assert served["openapi"] == "3.1.0"


async def test_the_root_leads_a_browser_to_the_console_and_tells_programs_where_things_are(
    http: httpx.AsyncClient,
) -> None:
    browser = await http.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["location"]) == (302, "/app")
    program = await http.get("/")
    assert program.json() == {
        "documentation": "https://api.example.com/docs",
        "openapi": "https://api.example.com/openapi.json",
        "console": "https://api.example.com/app",
        "health": "https://api.example.com/health",
    }
    for answer in (browser, program):
        assert "Accept" in answer.headers["vary"].split(", ")
        assert answer.headers["link"] == '</openapi.json>; rel="service-desc", </docs>; rel="service-doc"'
    for path in program.json().values():
        assert TABLE.match("GET", path.removeprefix("https://api.example.com")).route is not None


async def test_the_console_page_is_asked_for_again_and_its_policy_allows_its_own_origin_and_the_sockets(
    http: httpx.AsyncClient, gateway: Gateway
) -> None:
    page = await http.get("/app")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' {gateway.console.import_map}",
        "style-src": "'self'",
        "img-src": "'self'",
        "media-src": "'self'",
        "connect-src": f"'self' {gateway.settings.realtime_public_url}",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
    }
    again = await http.get("/app", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await http.get("/app", headers={"If-None-Match": '"0000000000000000"'})).status_code == 200


async def test_files_of_the_console_are_immutable_and_the_same_for_every_caller(
    http: httpx.AsyncClient, gateway: Gateway
) -> None:
    release = gateway.console.release
    for name in ("main.js", "pages/calls.js", "console.css", "icon.svg"):
        plain = await http.get(f"/app/{release}/{name}", headers={"Accept-Encoding": "identity"})
        assert (plain.status_code, plain.headers["vary"]) == (200, "Accept-Encoding")
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.content == gateway.console.files[name].body
        head = await http.head(f"/app/{release}/{name}", headers={"Accept-Encoding": "identity"})
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(plain.content)))


async def test_compressed_files_are_sent_in_the_smallest_coding_that_the_client_takes(
    http: httpx.AsyncClient, gateway: Gateway
) -> None:
    asset = gateway.console.files["console.css"]
    asset.compress()
    path = f"/app/{gateway.console.release}/console.css"
    for accepted, coding in (("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"), ("gzip", "gzip")):
        async with http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
            packed = b"".join([part async for part in answer.aiter_raw()])
        assert (answer.headers["content-encoding"], packed) == (coding, asset.forms[coding])


@pytest.mark.parametrize(
    "path",
    ["{other}/main.js", "{release}/nothing.js", "{release}/lib/main.js", "{release}/index.html", "{release}/..%2fx"],
)
async def test_what_the_release_does_not_have_is_not_found_and_not_kept(
    http: httpx.AsyncClient, gateway: Gateway, path: str
) -> None:
    answer = await http.get("/app/" + path.format(release=gateway.console.release, other="0" * 16))
    assert code(answer) == (404, "file_not_found")
    assert answer.headers["cache-control"] == "no-store"


async def test_pages_that_name_no_icon_have_one(http: httpx.AsyncClient) -> None:
    answer = await http.get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.content == (STATIC / "icon.svg").read_bytes()
    assert answer.headers["cache-control"].startswith("public, max-age=")


async def test_a_researcher_finds_whom_the_operator_names(gateway: Gateway) -> None:
    contacts = ("mailto:security@example.com", "https://example.com/report")
    settings = replace(
        gateway.settings,
        security_contacts=contacts,
        security_policy_url="https://example.com/policy",
        security_contact_days=30,
    )
    transport = httpx.ASGITransport(build_app(replace(gateway, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as http:
        answer = await http.get("/.well-known/security.txt")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text.endswith("\n")
    fields = [tuple(line.split(": ", 1)) for line in answer.text.splitlines()]
    assert fields[:2] == [("Contact", contact) for contact in contacts]
    assert fields[3:] == [("Policy", "https://example.com/policy")]
    name, ends = fields[2]
    assert name == "Expires"
    assert timedelta(days=28) < datetime.fromisoformat(ends) - utcnow() <= timedelta(days=30)


async def test_without_a_contact_a_researcher_is_told_so(http: httpx.AsyncClient) -> None:
    assert code(await http.get("/.well-known/security.txt")) == (404, "security_contact_unset")

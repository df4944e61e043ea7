"""Whom a request counts for, and what it is told; Redis is away here."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import ROUTES
from gateway.http.request import Options, Request
from gateway.http.routing import UNLIMITED, Route, RouteTable
from gateway.middleware.rate_limits import Counted, Policies, RateLimits, fields
from gateway.routes.documentation import FILE
from gateway.schemas.quotas import request_limits_of
from libs.errors import ResourceExhausted
from libs.ratelimit import Decision, Left, Limit, RateLimiter
from libs.ratelimit.limits import LEASED_TIME_SHARE, LOG_MAX
from libs.ratelimit.local import LocalLog
from libs.rpc.principal import Principal
from suite.limits import CLASSES, RAISED_FOR_BENCHES, of_plan

TABLE = RouteTable(ROUTES)
SESSION = Principal(org_id="org_1", user_id="usr_1", session_id="ses_1")
KEY = Principal(org_id="org_1", user_id="usr_1", api_key_id="key_1")
NORMAL = Policies(raised=False, instances=1)


def request_to(
    method: str, path: str, principal: Principal | None = None, address: str = "10.0.0.1"
) -> Request[Any, Any, Any]:
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": [], "client": (address, 1)}
    scope["match"] = TABLE.match(method, path)
    request: Request[Any, Any, Any] = Request(scope, None, Options("https://api.example.com"))  # type: ignore[arg-type]
    scope["state"] = {"request": request}
    request.principal_or_none = principal
    return request


def counted(request: Request[Any, Any, Any], policies: Policies = NORMAL) -> dict[str, tuple[int, int | None]]:
    found = policies.of(request)
    return {limit.key: (limit.most, limit.alone) for limit in (found.limits if found is not None else ())}


def test_every_route_has_a_class_of_limits_and_only_probes_have_none() -> None:
    unlimited = {route.path for route in ROUTES if route.limited == UNLIMITED}
    assert unlimited == {"/health", "/health/live", "/health/ready"}
    assert {route.limited for route in ROUTES} - {UNLIMITED} == set(CLASSES)
    paths = json.loads(FILE.read_bytes())["paths"]
    for route in ROUTES:
        if route.documented:
            answers = paths[route.path][route.method.lower()]["responses"]
            assert ("429" in answers) == (route.limited != UNLIMITED), route.path
            limited = "RateLimit" in answers[str(route.status)]["headers"]
            assert limited == (route.limited != UNLIMITED), route.path


@pytest.mark.parametrize("sent", [{"public": True}, {"body_kind": "multipart"}, {"body_kind": "raw"}])
def test_a_public_route_and_one_that_takes_files_must_name_their_class(sent: dict[str, Any]) -> None:
    async def nothing(request: Any) -> Any:
        raise AssertionError

    with pytest.raises(ValueError, match="POST /things"):
        Route("POST", "/things", nothing, "Make", **sent)
    assert Route("POST", "/things", nothing, "Make", limits="upload", **sent).limited == "upload"


def test_requests_count_for_the_key_or_the_user_and_for_the_organization() -> None:
    assert counted(request_to("GET", "/api/agents", KEY)) == {
        "read:key:key_1": (500, 500),
        "read:organization:org_1": (5_000, 5_000),
    }
    assert counted(request_to("PATCH", "/api/agents/agt_1", SESSION)) == {
        "write:user:usr_1": (100, 100),
        "write:organization:org_1": (1_000, 1_000),
    }
    assert counted(request_to("POST", "/api/documents/upload", SESSION)) == {
        "upload:user:usr_1": (20, 20),
        "upload:organization:org_1": (200, 200),
    }
    assert list(counted(request_to("GET", "/api/nothing", SESSION))) == ["read:user:usr_1", "read:organization:org_1"]


def test_public_requests_count_for_their_address_and_webhooks_for_their_source() -> None:
    assert counted(request_to("POST", "/api/login")) == {"auth:address:10.0.0.1": (300, 30)}
    assert list(counted(request_to("GET", "/docs", address="2001:db8:1:2:3::4"))) == ["read:address:2001:db8:1:2::"]
    assert counted(request_to("POST", "/api/webhooks/retell/token")) == {
        "webhook:source:/api/webhooks/retell/token": (1_000, 1_000),
        "webhook:address:10.0.0.1": (6_000, 6_000),
    }
    assert counted(request_to("GET", "/health")) == {}


def test_permits_are_taken_ahead_for_reads_alone_and_a_webhook_has_one_policy() -> None:
    reads, first, again, writes = (
        NORMAL.of(request_to(method, path, principal))
        for method, path, principal in (
            ("GET", "/api/agents", KEY),
            ("POST", "/api/webhooks/retell/token", None),
            ("POST", "/api/webhooks/retell/token", None),
            ("POST", "/api/agents", KEY),
        )
    )
    assert reads is not None
    assert reads.leased is not None
    assert first is not None
    assert first is again
    assert first.leased is None
    assert writes is not None
    assert writes.leased is None


def test_alone_a_gateway_has_its_share_and_a_tenth_of_it_where_money_moves_or_a_secret_is_made() -> None:
    three = Policies(raised=False, instances=3)
    assert counted(request_to("GET", "/api/agents", KEY), three)["read:key:key_1"] == (500, 166)
    for path in ("/api/billing/top-ups", "/api/api-keys"):
        assert counted(request_to("POST", path, KEY), three)["write:key:key_1"] == (100, 3)
    assert counted(request_to("POST", "/api/login"), three) == {"auth:address:10.0.0.1": (300, 10)}


def test_benches_raise_the_limits_and_count_all_the_same() -> None:
    raised = counted(request_to("GET", "/api/agents", KEY), Policies(raised=True, instances=1))
    assert raised["read:key:key_1"][0] == 500 * RAISED_FOR_BENCHES


async def test_a_spent_limit_refuses_and_tells_which_and_how_long() -> None:
    passed = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal passed
        passed += 1

    limiter = await RateLimiter.open("redis://127.0.0.1:1/0")
    layer = RateLimits(app, limiter=limiter, policies=NORMAL)
    requests = [request_to("POST", "/api/documents/upload", SESSION) for _ in range(21)]
    for request in requests[:20]:
        await layer(request.scope, None, None)  # type: ignore[arg-type]
    with pytest.raises(ResourceExhausted, match="upload-user") as refused:
        await layer(requests[20].scope, None, None)  # type: ignore[arg-type]
    assert refused.value.reason == "rate_limited"
    assert 0 < (refused.value.retry_after or 0) <= 60
    told = [dict(request.response_headers) for request in requests]
    await limiter.close()
    assert passed == 20
    policy = b'"upload-user";q=20;w=60, "upload-organization";q=200;w=60'
    assert {fields[b"ratelimit-policy"] for fields in told} == {policy}
    assert told[0][b"ratelimit"] == b'"upload-user";r=19;t=60, "upload-organization";r=199;t=60'
    assert told[-1][b"ratelimit"].startswith(b'"upload-user";r=0;t=')


_LIMITS = st.builds(
    Limit, st.sampled_from(["read:key:1", "write:user:1", "refused:10.0.0.1"]),
    st.sampled_from([1, 3, LOG_MAX, LOG_MAX + 1]), st.sampled_from([1, 60, 900]),
)  # fmt: skip


@given(
    limits=st.lists(_LIMITS, min_size=1, max_size=2, unique_by=lambda one: one.key),
    pauses=st.lists(st.floats(0, 20), min_size=1, max_size=30),
    start=st.floats(0, 1e6),
)
def test_no_window_is_told_to_last_longer_than_the_policy_states(
    limits: list[Limit], pauses: list[float], start: float
) -> None:
    now = start
    log, counted = LocalLog(lambda: now), Counted.of(tuple(limits), leased=False)
    for pause in pauses:
        now += pause
        _check_told(counted, log.take(limits, "member"))
    # What Redis answers while a lease is counted at its end.
    leased = tuple(Left(1, one.window_seconds * (1 + LEASED_TIME_SHARE)) for one in limits)
    _check_told(counted, Decision(True, 1, 0, left=leased))
    for limit, left in zip(limits, leased, strict=True):
        _check_told(counted, Decision(False, 0, left.reset_seconds, limit.key))


def _check_told(counted: Counted, decision: Decision) -> None:
    policy, told = (value.decode() for _, value in fields(counted, decision))
    windows = dict(re.findall(r'"([a-z-]+)";q=\d+;w=(\d+)', policy))
    shown = re.findall(r'"([a-z-]+)";r=\d+;t=(\d+)', told)
    waits = [left.reset_seconds for left in decision.left] if decision.allowed else [decision.reset_seconds]
    assert len(shown) == len(waits)
    for (name, seconds), wait in zip(shown, waits, strict=True):
        assert int(seconds) == min(math.ceil(wait), int(windows[name]))


def test_a_policy_never_names_whom_it_counts() -> None:
    limits = (Limit("read:key:key_secret", 5, 60), Limit("refused:10.0.0.1", 5, 60))
    counted = Counted.of(limits, leased=False)
    shown = b" ".join(value for _, value in fields(counted, Decision(True, 1, 0, left=(Left(1, 2), Left(1, 2)))))
    assert b"secret" not in shown
    assert b"10.0" not in shown


def test_a_plan_scales_what_a_caller_and_its_organization_may_send() -> None:
    def most(percent: int, method: str = "GET") -> list[int]:
        request = request_to(method, "/api/agents", replace(KEY, limit_percent=percent))
        return [limit for limit, _ in counted(request).values()]

    assert (most(100), most(250), most(50), most(1)) == ([500, 5_000], [1_250, 12_500], [250, 2_500], [5, 50])
    assert most(1, "POST") == [1, 10]
    # One caller under another plan is counted anew, so that all gateways change within the age of a principal.
    request = request_to("GET", "/api/agents", KEY)
    changed = request_to("GET", "/api/agents", replace(KEY, limit_percent=250))
    assert NORMAL.of(request) is NORMAL.of(request_to("GET", "/api/agents", KEY))
    assert NORMAL.of(request) is not NORMAL.of(changed)


def test_no_plan_lifts_a_limit_or_opens_one_that_counts_nothing() -> None:
    for kind in CLASSES.values():
        for percent in (1, 100, 10_000):
            caller, organization = of_plan(kind, percent)
            assert caller >= 1
            assert (organization == 0) == (kind.organization == 0)
    assert [one.name for one in request_limits_of(100)] == ["read", "write", "upload"]
    assert [one.caller for one in request_limits_of(250)] == [1_250, 250, 50]

"""HEAD, OPTIONS, Vary and Cache-Control of every route, from the table: a new route is asked as soon as it is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from gateway.app import ROUTES
from gateway.http.routing import UNLIMITED
from local.runner.suite import Suite
from suite.limits import CLASSES, RAISED_FOR_BENCHES

from .conftest import Customer
from .document import OPERATIONS, Operation
from .provoking import opened, unknown_parameter
from .scene import Scene
from .things import make_things

# Whatever chooses between the answers to one URL.
VARY = {"Accept-Encoding", "Authorization", "Cookie", "Origin", "X-API-Key"}
READS = [operation for operation in OPERATIONS if operation.method == "GET"]
# Different at each request: the suite's state, and the time that an answer took.
MOVING = {
    "date",
    "x-request-id",
    "content-length",
    "etag",
    "age",
    "x-cache",
    "server-timing",
    "content-encoding",
    "ratelimit",
}
PATHS = sorted({route.path for route in ROUTES})


@pytest.fixture(scope="module")
def scene(suite: Suite, customer: Callable[[], Customer]) -> Iterator[Scene]:
    headers = {"Authorization": f"Bearer {suite.api_key}"}
    with httpx.Client(base_url=suite.url, headers=headers, timeout=30) as operator:
        yield Scene(make_things(customer()), operator, suite.credentials["organizationId"])


@pytest.mark.parametrize("path", PATHS)
def test_options_names_exactly_the_methods_of_the_path_and_needs_no_credential(scene: Scene, path: str) -> None:
    methods = {route.method for route in ROUTES if route.path == path}
    wanted = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    answer = scene.customer.bearing(None).options(path.replace("{", "").replace("}", ""))
    assert answer.status_code == 204
    assert {name.strip() for name in answer.headers["allow"].split(",")} == wanted
    patch = "application/merge-patch+json, application/json" if "PATCH" in methods else None
    assert answer.headers.get("accept-patch") == patch
    assert answer.content == b""


@pytest.mark.parametrize("operation", READS, ids=str)
def test_head_is_get_without_a_body_and_says_how_long_and_for_whom_it_may_be_kept(
    scene: Scene, operation: Operation
) -> None:
    path = opened(scene, operation)
    got, head = scene.ask(operation, path), scene.http(operation).head(path)
    assert head.status_code == got.status_code < 300
    assert head.content == b""
    assert {name: value for name, value in head.headers.items() if name not in MOVING} == {
        name: value for name, value in got.headers.items() if name not in MOVING
    }
    vary = {name.strip() for name in got.headers["vary"].split(",")}
    assert vary >= {"Accept-Encoding"}
    directives = {part.strip().partition("=")[0] for part in got.headers["cache-control"].split(",")}
    is_public = operation.spec.get("security") == []
    if is_public:
        assert directives & {"public", "no-cache", "no-store", "private"}
    else:
        assert vary >= VARY
        assert "public" not in directives
        assert directives >= {"private"} or directives >= {"no-store"}


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/style.css", "/docs/page.js"])
def test_the_documentation_is_one_copy_for_all_callers_and_is_sent_again_only_when_it_changed(
    scene: Scene, path: str
) -> None:
    stranger = scene.customer.bearing(None)
    got = stranger.get(path)
    assert "cookie" not in got.headers["vary"].lower()
    again = stranger.get(path, headers={"If-None-Match": got.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert stranger.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_refusal_is_kept_by_no_cache(scene: Scene, operation: Operation) -> None:
    answer = unknown_parameter(scene, operation)
    assert answer.status_code >= 400
    assert answer.headers["cache-control"] == "no-store"
    assert {name.strip() for name in answer.headers["vary"].split(",")} >= VARY


def require_limits(scene: Scene, operation: Operation, answer: httpx.Response) -> None:
    """The answer tells the limits of the route's class as suite/limits.py has them, and what each leaves."""
    [route] = [route for route in ROUTES if (route.method, route.path) == (operation.method, operation.path)]
    policy = dict(re.findall(r'"([a-z-]+)";q=(\d+);w=\d+', answer.headers.get("ratelimit-policy", "")))
    left = dict(re.findall(r'"([a-z-]+)";r=(\d+);t=\d+', answer.headers.get("ratelimit", "")))
    if route.limited == UNLIMITED:
        assert not policy | left
        return
    kind = CLASSES[route.limited]
    if operation.spec.get("security") == []:
        promised = {f"{kind.name}-source": kind.source, f"{kind.name}-address": kind.most}
    else:
        caller = next((name for name in policy if name.endswith(("-key", "-user"))), "none")
        assert caller in (f"{kind.name}-key", f"{kind.name}-user")
        promised = {caller: kind.most, f"{kind.name}-organization": kind.organization}
    percent = scene.percent(operation)
    promised = {name: most * percent // 100 for name, most in promised.items() if most}
    assert policy.keys() == left.keys() == promised.keys()
    for name, most in promised.items():
        assert int(policy[name]) in (most, most * RAISED_FOR_BENCHES)
        assert int(left[name]) < int(policy[name])


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_refusal_tells_the_limits_that_it_counted_under(scene: Scene, operation: Operation) -> None:
    require_limits(scene, operation, unknown_parameter(scene, operation))


@pytest.mark.parametrize("operation", READS, ids=str)
def test_answers_repeated_ones_and_those_without_a_body_tell_the_limits(scene: Scene, operation: Operation) -> None:
    path = opened(scene, operation)
    first, again = scene.ask(operation, path), scene.ask(operation, path)
    head = scene.http(operation).head(path)
    for answer in (first, again, head):
        require_limits(scene, operation, answer)
    if "etag" in again.headers:
        unchanged = scene.ask(operation, path, headers={"If-None-Match": again.headers["etag"]})
        require_limits(scene, operation, unchanged)

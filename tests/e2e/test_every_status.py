"""Every status that the document names for an operation is provoked, and the answer is what the document says.

A status that cannot be provoked from outside stands in NOT_FROM_OUTSIDE with its reason; one that is provoked must not.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator

import httpx
import pytest

from local.runner.suite import Suite
from local.stores.postgres import psql
from suite.services import SERVICES

from . import provoking, provoking_bodies
from .conftest import Customer
from .document import OPERATIONS, Operation, faults_of
from .provoking import HELD_KEY
from .recording import IS_RECORDING, Recording
from .scene import Scene
from .things import make_things

# Status -> why no request provokes it here, whatever the operation.
NOT_FROM_OUTSIDE = {
    429: "the suite of the tests has no limits; tests/integration/services/identity counts tries",
    500: "a fault of ours; tests/unit/gateway/http/test_problems.py shows its form",
    502: "the payment provider fails; tests/integration/services/billing/test_payments.py",
    503: "a part is away; tests/faults and tests/integration/gateway/test_retries.py",
    504: "a part is too slow; tests/integration/gateway/test_retries.py",
    507: "a disk is full; tests/unit/libs/postgres/test_errors.py",
}
_FANNED = "the request waits for the one that holds the key; tests/e2e/test_fan_outs.py"
_BY_MAIL = "the suite of the tests verifies no address; tests/e2e/test_verified_accounts.py"
_BY_DNS = "needs a name server; tests/integration/services/identity/test_white_label.py"
_OPENID = "the suite of the tests has no OpenID provider; tests/integration/services/identity/test_openid.py"
_SLOW = "a provider's delivery may take 32 s; the reader of the body is the same for all operations"
# The same for single operations.
EXCEPTIONS = {
    ("POST /api/admin/dead-letters/replay", 409): _FANNED,
    ("POST /api/admin/dead-events/replay", 409): _FANNED,
    ("POST /api/webhooks/elevenlabs/{orgToken}/post-call", 408): _SLOW,
    ("POST /api/webhooks/retell/{orgToken}", 408): _SLOW,
    ("POST /api/webhooks/vapi/{orgToken}", 408): _SLOW,
    ("POST /api/webhooks/bland/{orgToken}", 408): _SLOW,
    ("GET /api/call-logs/{id}/recording/content", 404): "only calls that exist get a signed link",
    ("GET /api/call-logs/{id}/recording/content", 410): "links live for minutes; tests/unit/gateway/http",
    ("GET /api/call-logs/{id}/transcription", 200): "needs the speech model; make test-transcription",
    ("GET /api/call-logs/{id}/transcription", 304): "needs the speech model; make test-transcription",
    ("POST /api/billing/top-ups", 501): "the local suite has the test provider of payments",
    ("POST /api/knowledge-base/search", 501): "needs PostgreSQL without pgvector; tests/e2e/test_postgresql_15.py",
    ("POST /api/whitelabel/hosts/{id}/verify", 200): _BY_DNS,
    ("POST /api/whitelabel/hosts/{id}/verify", 409): _BY_DNS,
    ("POST /api/register", 202): _BY_MAIL,
    ("POST /api/register/verify", 201): _BY_MAIL,
    ("POST /api/register/verify", 409): _BY_MAIL,
    ("POST /api/login", 202): "a second factor is needed; tests/e2e/test_own_account.py",
    ("POST /api/login", 403): _BY_MAIL,
    **{
        (f"POST /api/login/openid{step}", status): _OPENID
        for step in ("", "/complete")
        for status in (200, 202)
        if step or status == 200
    },
    ("POST /api/login/openid/complete", 401): _OPENID,
    ("POST /api/login/openid/complete", 403): _OPENID,
    ("PUT /api/auth/openid-links/{id}", 200): _OPENID,
    ("DELETE /api/auth/sessions", 422): "it has no body, and no other request of its path has its key",
    ("POST /api/knowledge-base/answer-context", 501): "needs PostgreSQL without pgvector, as search does",
    ("POST /api/webhooks/stripe", 200): "needs Stripe; tests/integration/services/billing/test_payments.py",
    ("POST /api/notifications/unsubscribe/{token}", 204): "the token of a mail; tests/integration/services/realtime",
    ("POST /api/webhooks/stripe", 401): "needs Stripe; tests/integration/services/billing/test_payments.py",
}
PROVOKERS: dict[int, Callable[[Scene, Operation], httpx.Response]] = {
    200: provoking.success,
    201: provoking.success,
    202: provoking.success,
    204: provoking.success,
    206: provoking.a_part,
    304: provoking.known_tag,
    400: provoking.unknown_parameter,
    401: provoking.no_credential,
    403: provoking.other_rights,
    404: provoking.of_nothing,
    409: provoking.busy_key,
    412: provoking.other_version,
    415: provoking.other_media_type,
    416: provoking.a_part_beyond,
    422: provoking.other_body,
    501: provoking.success,
}
# The refusals that end by waiting, of those that are provoked here.
WAITED_FOR = {"idempotency_in_progress", "version_not_reached"}
# These wait for the server's patience, so they are asked all at once.
AT_ONCE = {408: provoking_bodies.stalled_body, 413: provoking_bodies.endless_body}


@pytest.fixture(scope="module")
def scene(suite: Suite, customer: Callable[[], Customer]) -> Iterator[Scene]:
    operator = httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=30)
    made = Scene(make_things(customer()), operator, suite.credentials["organizationId"])
    with held_key(suite, [made.customer.organization["id"], made.operator_org]), operator:
        yield made


@pytest.fixture(scope="module")
def recording(scene: Scene) -> Iterator[Recording]:
    """What `make examples` writes; otherwise forgotten."""
    made = Recording()
    yield made
    if IS_RECORDING:
        made.add_events(scene.customer.http.get("/api/events", params={"limit": 200}).json()["data"])
        made.write()


def held_key(suite: Suite, organizations: list[str]) -> subprocess.Popen[bytes]:
    """A session of PostgreSQL that holds HELD_KEY in every service, as a request that still runs does."""
    names = [f"{service}idempotency\x1f{org_id}\x1f{HELD_KEY}" for service in SERVICES for org_id in organizations]
    taken = ", ".join(f"pg_advisory_lock(hashtextextended('{name}', 0)) is null" for name in names)
    holder = subprocess.Popen(
        [str(psql()), "--no-psqlrc", "-qtA", suite.run["stores"]["postgres"]["adminUrl"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(f"select {taken};\n".encode())
    holder.stdin.flush()
    assert holder.stdout.readline()
    return holder


def documented(operation: Operation) -> list[int]:
    return sorted(int(status) for status in operation.spec["responses"])


def is_excused(operation: Operation, status: int) -> bool:
    return status in NOT_FROM_OUTSIDE or (str(operation), status) in EXCEPTIONS


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_each_documented_status_comes_when_it_is_provoked(
    scene: Scene, recording: Recording, operation: Operation
) -> None:
    answers: dict[int, httpx.Response] = {}
    # Success comes last, because it may end what the others need.
    for status in sorted(documented(operation), key=lambda number: number < 304):
        if is_excused(operation, status) or status in AT_ONCE:
            continue
        provoke = PROVOKERS[status]
        if status == 200 and "201" in operation.spec["responses"]:
            provoke = provoking.once_more
        answers[status] = provoke(scene, operation)
    for answer in answers.values():
        recording.add(operation, answer)
    faults = [fault for answer in answers.values() for fault in faults_of(operation, answer)]
    assert not faults
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    waits = {answer.json()["code"] for answer in answers.values() if "retry-after" in answer.headers}
    assert waits == {answer.json()["code"] for answer in answers.values() if answer.is_error} & WAITED_FOR


@pytest.mark.parametrize("status", AT_ONCE)
async def test_bodies_that_are_too_large_or_too_slow(scene: Scene, recording: Recording, status: int) -> None:
    asked = [one for one in OPERATIONS if status in documented(one) and not is_excused(one, status)]
    answers = await asyncio.gather(*(AT_ONCE[status](scene, operation) for operation in asked))
    assert {str(operation): answer.status_code for operation, answer in zip(asked, answers, strict=True)} == {
        str(operation): status for operation in asked
    }
    for operation, answer in zip(asked, answers, strict=True):
        recording.add(operation, answer)
        assert not list(faults_of(operation, answer)), operation


def test_every_excuse_is_of_a_status_that_is_documented() -> None:
    known = {str(operation): documented(operation) for operation in OPERATIONS}
    assert [key for key in EXCEPTIONS if key[1] not in known.get(key[0], ())] == []
    assert set(NOT_FROM_OUTSIDE) <= {status for statuses in known.values() for status in statuses}

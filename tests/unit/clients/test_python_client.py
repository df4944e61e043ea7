"""The Python client against a real server that fails on purpose: attempts, keys, waits, errors, forms, signatures."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from clients.python.echosenseix import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    NotFound,
    Retries,
    ServerError,
    TooManyRequests,
    ValidationFailed,
    Webhook,
    WebhookRefused,
)
from clients.python.echosenseix.requests import Call, flow
from tests.unit.clients.server import Answer, Told, problem, server

QUICK = Retries(attempts=4, first_wait=0.01, longest_wait=2.0)
AGENT = Answer(201, {"id": "agt_1"})
# How a test asks: by either client, the same.
Ask = Callable[[Told, str, Any], Any]


def sync_ask(told: Told, what: str, body: Any) -> Any:
    with Client(told.url, "key", retries=QUICK) as client:
        group, method = what.split(".")
        return getattr(getattr(client, group), method)(body)


async def async_ask(told: Told, what: str, body: Any) -> Any:
    async with AsyncClient(told.url, "key", retries=QUICK) as client:
        group, method = what.split(".")
        return await getattr(getattr(client, group), method)(body)


@pytest.fixture(params=[sync_ask, async_ask], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[[Told, str, Any], Awaitable[Any]]:
    async def asked(told: Told, what: str, body: Any) -> Any:
        found = request.param(told, what, body)
        return await found if request.param is async_ask else found

    return asked


PASSING = [
    problem(429, "too_many_attempts", Retry_After="0"),
    problem(503, "too_busy", Retry_After="0"),
    problem(409, "idempotency_in_progress", Retry_After="0"),
    problem(504, "deadline_exceeded"),
    problem(502, "payment_provider_failed"),
    Answer(None),
]


@pytest.mark.parametrize("failure", PASSING, ids=lambda answer: str(answer.status))
async def test_a_write_is_repeated_under_one_key_until_it_is_answered(ask: Ask, failure: Answer) -> None:
    with server(failure, failure, AGENT) as told:
        assert await ask(told, "agents.create_agent", {"name": "Reception"}) == {"id": "agt_1"}
        keys = {asked.headers["Idempotency-Key"] for asked in told.asked}
        assert (len(told.asked), len(keys)) == (3, 1)
        assert {asked.body for asked in told.asked} == {b'{"name":"Reception"}'}


STANDING = [
    (problem(404, "agent_not_found"), NotFound),
    (problem(409, "email_taken"), Conflict),
    (problem(422, "validation_failed"), ValidationFailed),
    (problem(500, "internal"), ServerError),
    (problem(503, "webhook_secret_unset"), ServerError),
    (problem(429, "too_many_attempts", Retry_After="3600"), TooManyRequests),
]


@pytest.mark.parametrize(("refusal", "kind"), STANDING, ids=lambda value: getattr(value, "status", None))
async def test_a_refusal_that_waiting_does_not_end_is_raised_at_once(
    ask: Ask, refusal: Answer, kind: type[ApiError]
) -> None:
    with server(refusal) as told:
        with pytest.raises(kind) as raised:
            await ask(told, "agents.create_agent", {"name": "x"})
        assert len(told.asked) == 1
        assert (raised.value.code, raised.value.request_id) == (refusal.body["code"], "req_1")
        assert raised.value.detail in str(raised.value)


async def test_attempts_end(ask: Ask) -> None:
    with server(problem(504, "deadline_exceeded")) as told:
        with pytest.raises(ServerError):
            await ask(told, "agents.get_agent", "agt_1")
        assert len(told.asked) == QUICK.attempts
    with server(Answer(None)) as told:
        with pytest.raises(ConnectionFailed):
            await ask(told, "agents.get_agent", "agt_1")
        assert len(told.asked) == QUICK.attempts


async def test_a_login_is_never_repeated(ask: Ask) -> None:
    with server(Answer(None)) as told:
        with pytest.raises(ConnectionFailed):
            await ask(told, "accounts.login", {"email": "a@example.com", "password": "x"})
        assert len(told.asked) == 1


def test_the_wait_is_what_retry_after_says_and_grows_without_it() -> None:
    with Client("http://127.0.0.1:1") as client:
        steps = flow(Call("GET", "/x"), client.http, Retries(attempts=5, first_wait=1.0, longest_wait=60.0))
        waits = []
        for headers in ({"Retry-After": "7"}, {}, {}, {}):
            request = next(steps)
            assert not isinstance(request, float)
            wait = steps.send(_response(504 if not headers else 503, headers))
            assert isinstance(wait, float)
            waits.append(wait)
    assert waits[0] == 7.0
    assert 1.0 <= waits[1] <= 2.0 <= waits[2] <= 4.0 <= waits[3] <= 8.0


def _response(status: int, headers: dict[str, str]) -> Any:
    import httpx

    return httpx.Response(status, headers=headers)


def test_an_answer_of_a_proxy_is_an_error_too() -> None:
    with server(Answer(418, b"<html>", {"Content-Type": "text/html"})) as told, Client(told.url) as client:
        with pytest.raises(ApiError) as raised:
            client.agents.get_agent("agt_1")
        assert (raised.value.status, raised.value.code, raised.value.detail) == (418, "unknown", "<html>")


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    with server(Answer(200, {})) as told, Client(told.url) as client:
        client.agents.get_agent("../api-keys?x=1")
        assert told.asked[0].path == "/api/agents/..%2Fapi-keys%3Fx%3D1"


def pages() -> Iterator[Answer]:
    for number, cursor in ((1, "c1"), (2, "c2"), (3, None)):
        yield Answer(200, {"data": [{"id": f"agt_{number}"}], "nextCursor": cursor})


async def test_rows_are_read_page_by_page_as_they_are_wanted() -> None:
    with server(*pages()) as told, Client(told.url) as client:
        rows = iter(client.agents.list_agents(limit=1, status="active"))
        assert next(rows)["id"] == "agt_1"
        assert len(told.asked) == 1
        assert [row["id"] for row in rows] == ["agt_2", "agt_3"]
        assert [asked.path.partition("?")[2] for asked in told.asked] == [
            f"limit=1&status=active&cursor={cursor}" for cursor in ("", "c1", "c2")
        ]
    with server(*pages()) as told:
        async with AsyncClient(told.url) as client:
            assert [row["id"] async for row in client.agents.list_agents()] == ["agt_1", "agt_2", "agt_3"]


@pytest.mark.parametrize("source", ["path", "file", "bytes"])
def test_an_upload_tells_its_progress_and_begins_anew_after_a_failure(tmp_path: Path, source: str) -> None:
    content = b"x" * 200_000
    (tmp_path / "hours.txt").write_bytes(content)
    given: Any = {"path": tmp_path / "hours.txt", "file": io.BytesIO(content), "bytes": content}[source]
    steps: list[tuple[int, int]] = []
    uploaded = Answer(202, {"documentId": "doc_1"})
    failure = problem(503, "too_busy", Retry_After="0")
    with server(failure, uploaded) as told, Client(told.url, retries=QUICK) as client:
        answer = client.documents.upload_document(
            given,
            file_name="hours.txt",
            title="Hours",
            on_progress=lambda *step: steps.append(step),
        )
    assert answer["documentId"] == "doc_1"
    assert [content in asked.body and b'filename="hours.txt"' in asked.body for asked in told.asked] == [True, True]
    assert len({asked.headers["Idempotency-Key"] for asked in told.asked}) == 1
    # Both attempts, each from the beginning to the end.
    assert [pair for pair in steps if pair[0] == pair[1]] == [(len(content), len(content))] * 2
    first = steps[: len(steps) // 2]
    assert first == sorted(first)
    assert len(first) > 2


def test_a_delivery_is_verified_with_either_secret_and_nothing_else() -> None:
    old, new = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
    now = datetime.datetime.now(datetime.UTC)
    body = json.dumps({"id": "evt_1", "type": "call.ended", "data": {}})
    signed = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": standardwebhooks.Webhook(old).sign("msg_1", now, body),
    }
    assert Webhook(new, old).verify(signed, body.encode())["type"] == "call.ended"
    for verifier, headers, sent in (
        (Webhook(new), signed, body),
        (Webhook(old), signed, body + " "),
        (Webhook(old), {**signed, "Webhook-Timestamp": "1"}, body),
        (Webhook(old), {}, body),
    ):
        with pytest.raises(WebhookRefused):
            verifier.verify(headers, sent.encode())

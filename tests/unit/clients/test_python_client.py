"""The Python client against a real server that fails on purpose: attempts, keys, waits, errors, forms, signatures."""

from __future__ import annotations

import datetime
import io
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from clients.python.echosenseix import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    Forbidden,
    NotAuthenticated,
    NotFound,
    PositionExpired,
    Retries,
    ServerError,
    TooManyRequests,
    ValidationFailed,
    Webhook,
    WebhookRefused,
)
from clients.python.echosenseix.errors import retry_after_seconds
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


def test_the_wait_has_a_bound_after_any_number_of_attempts() -> None:
    assert 15.0 <= Retries().wait(10_000) <= 30.0


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


def _response(status: int, headers: dict[str, str]) -> httpx.Response:
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


HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("ahead", "least", "most"),
    [(datetime.timedelta(seconds=20), 10.0, 20.0), (-HOUR, 0.0, 0.0), (HOUR, 3_500.0, 3_600.0)],
)
def test_a_proxy_may_name_the_moment_to_come_again(ahead: datetime.timedelta, least: float, most: float) -> None:
    moment = format_datetime(datetime.datetime.now(datetime.UTC) + ahead, usegmt=True)
    waited = retry_after_seconds(_response(503, {"Retry-After": moment}))
    assert waited is not None
    assert least <= waited <= most


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5"])
def test_what_names_no_time_is_no_time(text: str) -> None:
    assert retry_after_seconds(_response(503, {"Retry-After": text})) is None


# How a test hears: the first events of a stream, by either client the same.
async def heard(
    told: Told, count: int, *, is_async: bool, after: str | None = None, types: Sequence[str] = ()
) -> list[str]:
    if is_async:
        async with AsyncClient(told.url, "key", retries=QUICK) as client:
            found = []
            async for event in client.stream_events(after, types):
                found.append(event["id"])
                if len(found) == count:
                    break
            return found
    with Client(told.url, "key", retries=QUICK) as client:
        return [event["id"] for event in itertools.islice(client.stream_events(after, types), count)]


def streamed(*numbers: int) -> Answer:
    text = "".join(f'id: {number}\ndata: {{"id": "evt_{number}"}}\n\n' for number in numbers)
    return Answer(200, text.encode() + b"id: 99\ndata: half", {"Content-Type": "text/event-stream"})


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
async def test_a_stream_that_was_open_goes_on_however_long_the_server_is_away(is_async: bool) -> None:
    with server() as told:
        token = Answer(201, {"token": "t", "eventsUrl": f"{told.url}/stream"})
        away = [
            problem(503, "too_busy", Retry_After="0"),
            problem(503, "unknown"),
            problem(500, "unknown"),
            Answer(None),
        ] * QUICK.attempts
        # No event between: an idle organization's stream counts no failure that it recovered from.
        ended = [token, Answer(200, b": still here\n\n", {"Content-Type": "text/event-stream"})] * 6
        told.answers[:] = [token, streamed(1, 2), *away, *ended, token, streamed(3), token]
        assert await heard(told, 3, is_async=is_async, after="0") == ["evt_1", "evt_2", "evt_3"]
        streams = [asked.path for asked in told.asked if asked.method == "GET"]
    # After the last whole event, and never after half of one.
    assert (streams[0], set(streams[1:])) == ("/stream?after=0", {"/stream?after=2"})


@both
async def test_a_stream_asks_for_the_named_types_alone_also_when_it_goes_on(is_async: bool) -> None:
    with server() as told:
        token = Answer(201, {"token": "t", "eventsUrl": f"{told.url}/stream"})
        told.answers[:] = [token, streamed(1), token, streamed(2), token]
        assert await heard(told, 2, is_async=is_async, types=["call.*", "agent.created"]) == ["evt_1", "evt_2"]
        asked = [httpx.URL(one.path).params for one in told.asked if one.method == "GET"]
    assert [params["types"] for params in asked] == ["call.*,agent.created"] * 2
    assert [params.get("after") for params in asked] == [None, "1"]


@both
async def test_a_stream_ends_when_its_key_does(is_async: bool) -> None:
    with server() as told:
        token = Answer(201, {"token": "t", "eventsUrl": f"{told.url}/stream"})
        told.answers[:] = [token, streamed(1), token, problem(401, "token_expired"), problem(401, "invalid_api_key")]
        with pytest.raises(NotAuthenticated, match="invalid_api_key"):
            await heard(told, 2, is_async=is_async)
        told.answers[:] = [token, streamed(1), problem(403, "missing_scope")]
        with pytest.raises(Forbidden):
            await heard(told, 2, is_async=is_async)


@both
async def test_a_stream_that_missed_events_says_so(is_async: bool) -> None:
    expired = b'retry: 1000\n\nevent: expired\ndata: {"after":2,"oldest":7}\n\nid: 7\ndata: {"id": "evt_7"}\n\n'
    with server() as told:
        token = Answer(201, {"token": "t", "eventsUrl": f"{told.url}/stream"})
        told.answers[:] = [token, streamed(1, 2), token, Answer(200, expired, {"Content-Type": "text/event-stream"})]
        with pytest.raises(PositionExpired) as missed:
            await heard(told, 3, is_async=is_async, after="0")
    assert (missed.value.after, missed.value.oldest) == (2, 7)


@both
async def test_a_stream_of_a_wrong_address_ends(is_async: bool) -> None:
    with server() as told:
        token = Answer(201, {"token": "t", "eventsUrl": "http://127.0.0.1:1/stream"})
        told.answers[:] = [token]
        with pytest.raises(ConnectionFailed):
            await heard(told, 1, is_async=is_async)


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

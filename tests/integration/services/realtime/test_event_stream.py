"""The event stream over plain HTTP: what it refuses, and how, and that it resumes."""

from __future__ import annotations

import asyncio
import datetime

import httpx
import pytest

from echosenseix.events.v1.events_pb2 import ApiKeyChanged
from libs.clock import utcnow
from libs.events import Event, ReceivedEvent
from services.realtime.doors import events
from services.realtime.protocol.revocation import concerns, revocation, revoked_before
from services.realtime.protocol.tokens import Grant, TokenInvalid
from tests.integration.services.realtime.driving import Realtime, emit_and_sweep, until

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "requestId", "errors"}


def bearer(realtime: Realtime, org_id: str, *scopes: str) -> dict[str, str]:
    expires_at = utcnow() + datetime.timedelta(minutes=1)
    grant = Grant(org_id, "usr_1", "ses_1", "", frozenset(scopes or ("realtime:read", "calls:read")), expires_at)
    return {"authorization": f"Bearer {realtime.tokens.issue(grant)}"}


def client(realtime: Realtime) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{realtime.doors.addresses['http']}", timeout=10)


@pytest.mark.parametrize(
    ("method", "path", "scope", "status", "code"),
    [
        ("GET", "/api/events/stream", "", 401, "token_invalid"),
        ("GET", "/api/events/stream?token=x", "", 401, "token_invalid"),
        ("GET", "/api/events/stream", "agents:read", 403, "missing_scope"),
        ("GET", "/api/events/stream?after=x", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?after=%D9%A3", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?nope=1", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?after=evt_01h00000000000000000000000", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?after=evt_", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?types=call.nothing", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?types=", "*", 400, "invalid_query"),
        ("GET", "/api/events/stream?after=1&after=2", "*", 400, "invalid_query"),
        ("POST", "/api/events/stream", "*", 405, "method_not_allowed"),
        ("GET", "/nowhere", "*", 404, "route_not_found"),
    ],
)
async def test_a_refusal_is_a_whole_problem(
    realtime: Realtime, method: str, path: str, scope: str, status: int, code: str
) -> None:
    headers = bearer(realtime, "org_refused", scope) if scope else {}
    async with client(realtime) as http:
        answer = await http.request(method, path, headers={**headers, "x-request-id": "mine-1"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == MEMBERS
    assert (problem["status"], problem["instance"]) == (status, path.partition("?")[0])
    assert problem["requestId"] == answer.headers["x-request-id"] == "mine-1"
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert (answer.headers.get("allow") == "GET, HEAD, OPTIONS") is (status == 405)


@pytest.mark.parametrize(
    ("query", "headers", "wrong"),
    [
        ("after=x", {}, {"#/after": "invalid_value"}),
        ("after=1234567890123456789", {}, {"#/after": "invalid_value"}),
        ("after=evt_01h00000000000000000000000", {}, {"#/after": "invalid_value"}),
        ("", {"last-event-id": "x"}, {"#/Last-Event-ID": "invalid_value"}),
        ("after=3", {"last-event-id": "evt_01h00000000000000000000000"}, {"#/Last-Event-ID": "invalid_value"}),
        ("types=call.nothing", {}, {"#/types": "invalid_value"}),
        ("types=", {"last-event-id": "x"}, {"#/Last-Event-ID": "invalid_value", "#/types": "invalid_value"}),
        (
            "no~/pe=1&after=x&types=*&types=*",
            {},
            {"#/no~0~1pe": "unknown_parameter", "#/after": "invalid_value", "#/types": "invalid_value"},
        ),
    ],
)
async def test_a_refusal_names_every_parameter_and_header_that_is_wrong(
    realtime: Realtime, query: str, headers: dict[str, str], wrong: dict[str, str]
) -> None:
    async with client(realtime) as http:
        answer = await http.get(f"/api/events/stream?{query}", headers=bearer(realtime, "org_refused") | headers)
    assert answer.status_code == 400
    assert {one["pointer"]: one["code"] for one in answer.json()["errors"]} == wrong
    assert all(one["detail"] for one in answer.json()["errors"])


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "pointer"),
    [
        ("GET", "/connection/sse", "", "invalid_query", "#/cf_connect"),
        ("GET", "/connection/sse?cf_connect=", "", "invalid_query", "#/cf_connect"),
        ("POST", "/connection/sse", "", "malformed_json", "#"),
        ("POST", "/connection/http_stream", "", "malformed_json", "#"),
        ("GET", "/connection/uni_sse?cf_connect=5", "", "malformed_json", "#/cf_connect"),
        ("POST", "/connection/uni_sse", "5", "malformed_json", "#"),
        ("POST", "/connection/uni_http_stream", "5", "malformed_json", "#"),
        ("POST", "/emulation", "5", "malformed_json", "#"),
    ],
)
async def test_a_connection_without_a_first_command_is_told_where_it_belongs(
    realtime: Realtime, method: str, path: str, body: str, code: str, pointer: str
) -> None:
    async with client(realtime) as http:
        answer = await http.request(method, path, content=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code)
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


async def test_an_unsafe_request_id_is_replaced(realtime: Realtime) -> None:
    async with client(realtime) as http:
        answer = await http.get("/nowhere", headers={"x-request-id": "a b"})
        options = await http.options("/api/events/stream")
    assert answer.headers["x-request-id"].startswith("req_")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_the_stream_goes_on_after_the_last_event_that_was_read(realtime: Realtime) -> None:
    emitted = [await realtime.emit("org_stream", call_id=f"call_{number}") for number in range(3)]
    headers = bearer(realtime, "org_stream") | {"last-event-id": "1"}
    seen: list[str] = []
    async with client(realtime) as http, http.stream("GET", "/api/events/stream", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            seen += [line] if line.startswith(("id:", "data:")) else []
            if len(seen) == 4:
                break
    assert [line for line in seen if line.startswith("id:")] == ["id: 2", "id: 3"]
    assert [event in line for event, line in zip(emitted[1:], seen[1::2], strict=True)] == [True, True]


async def test_a_revoked_session_loses_its_streams_and_no_other_does(realtime: Realtime) -> None:
    await realtime.emit("org_taken")
    headers = bearer(realtime, "org_taken", "*") | {"last-event-id": "0"}
    async with client(realtime) as http, http.stream("GET", "/api/events/stream", headers=headers) as answer:
        lines = answer.aiter_lines()
        while not (await anext(lines)).startswith("id:"):
            pass
        await realtime.emit("org_taken", topic="session.revoked", sessionId="ses_other", userId="usr_2")
        while not (await anext(lines)).startswith("id: 2"):
            pass
        await realtime.emit("org_taken", topic="session.revoked", sessionId="ses_1", userId="usr_1")
        async with asyncio.timeout(2):
            assert [line async for line in lines if line.startswith("id: 4")] == []


async def test_a_position_ahead_of_the_log_hears_what_comes(realtime: Realtime) -> None:
    await realtime.emit("org_ahead")
    headers = bearer(realtime, "org_ahead") | {"last-event-id": "999999"}
    async with client(realtime) as http, http.stream("GET", "/api/events/stream", headers=headers) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        assert [await anext(lines) for _ in range(3)] == ["", "event: expired", 'data: {"after":999999,"oldest":2}']
        await realtime.emit("org_ahead", call_id="call_2")
        async with asyncio.timeout(2):
            while (line := await anext(lines)) != "id: 2":
                assert not line.startswith("id:")


async def test_a_stream_says_nothing_of_what_its_scopes_may_not_read(realtime: Realtime) -> None:
    for number in range(3):
        await realtime.emit("org_heard", call_id=f"call_{number}")
    lines: list[str] = []
    headers = bearer(realtime, "org_heard", "realtime:read", "agents:read", "billing:read") | {"last-event-id": "0"}
    async with client(realtime) as http, http.stream("GET", "/api/events/stream", headers=headers) as answer:
        reading = asyncio.create_task(_collect(answer, lines))
        await until(lambda: any(line.startswith("retry:") for line in lines))
        await realtime.emit("org_heard", call_id="call_3")
        full = bearer(realtime, "org_heard", "*") | {"last-event-id": "0"}
        async with http.stream("GET", "/api/events/stream", headers=full) as other:
            seen = 0
            async for line in other.aiter_lines():
                seen += line.startswith("data:")
                if seen == 4:
                    break
        reading.cancel()
    assert not [line for line in lines if line.startswith(("id:", "data:"))]


async def _collect(answer: httpx.Response, lines: list[str]) -> None:
    async for line in answer.aiter_lines():
        lines.append(line)


async def test_a_rotated_key_loses_what_it_had_and_keeps_what_it_gets(realtime: Realtime) -> None:
    now = utcnow()
    old, new = (
        Grant("org_turn", "usr_1", "", "key_1", frozenset({"*"}), now + datetime.timedelta(minutes=1), issued)
        for issued in (now - datetime.timedelta(seconds=5), now + datetime.timedelta(seconds=5))
    )
    event = Event("api_key.rotated", "org_turn", "key_1", ApiKeyChanged(api_key_id="key_1"), time=now)
    message = revocation(ReceivedEvent.parse(event.payload().encode()), now)
    assert message is not None
    assert (concerns(message, old), concerns(message, new)) == (True, False)
    realtime.tokens.revoke("org_turn", "key_1", revoked_before(message))
    with pytest.raises(TokenInvalid):
        realtime.tokens.verify(realtime.tokens.issue(old))
    assert realtime.tokens.verify(realtime.tokens.issue(new)).api_key_id == "key_1"


async def read(realtime: Realtime, org_id: str, path: str, count: int, last_event_id: str = "") -> list[str]:
    """The fields of the first events of a stream, without `retry`."""
    headers = bearer(realtime, org_id, "*") | ({"last-event-id": last_event_id} if last_event_id else {})
    seen: list[str] = []
    async with client(realtime) as http, http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            seen += [line] if line and not line.startswith(("retry:", ":")) else []
            if len(seen) == count:
                break
    return seen


async def test_a_stream_goes_on_after_an_event_that_is_named_by_its_id(realtime: Realtime) -> None:
    ids = [await realtime.emit("org_named", call_id=f"call_{number}") for number in range(3)]
    for path, last in ((f"/api/events/stream?after={ids[0]}", ""), ("/api/events/stream", ids[0])):
        seen = await read(realtime, "org_named", path, 4, last)
        assert [line for line in seen if line.startswith("id:")] == ["id: 2", "id: 3"]


async def test_the_id_of_another_organizations_event_is_as_unknown_as_one_that_never_was(realtime: Realtime) -> None:
    theirs = await realtime.emit("org_theirs")
    await realtime.emit("org_ours")
    details = []
    async with client(realtime) as http:
        for named in (theirs, theirs[:-4] + "0000"):
            answer = await http.get(f"/api/events/stream?after={named}", headers=bearer(realtime, "org_ours"))
            assert answer.status_code == 400
            details.append(answer.json()["detail"])
    assert details[0] == details[1]


async def test_a_stream_of_some_types_has_no_others_and_keeps_their_positions(realtime: Realtime) -> None:
    for topic in ("call.started", "agent.created", "call.ended", "credit.low"):
        await realtime.emit("org_typed", topic=topic)
    seen = await read(realtime, "org_typed", "/api/events/stream?after=0&types=agent.*,call.ended", 4)
    assert [line for line in seen if line.startswith("id:")] == ["id: 2", "id: 3"]


async def test_a_stream_says_that_its_position_is_older_than_the_log(realtime: Realtime) -> None:
    await emit_and_sweep(realtime, "org_gone", 3)
    await realtime.emit("org_gone", call_id="call_kept")
    seen = await read(realtime, "org_gone", "/api/events/stream", 4, last_event_id="1")
    assert seen[:3] == ["event: expired", 'data: {"after":1,"oldest":4}', "id: 4"]
    # What was read up to the oldest event, or asks for the oldest, has missed nothing.
    assert (await read(realtime, "org_gone", "/api/events/stream", 2, last_event_id="3"))[0] == "id: 4"
    assert (await read(realtime, "org_gone", "/api/events/stream?after=0", 2))[0] == "id: 4"


async def test_an_idle_stream_has_a_heartbeat_and_no_proxy_may_hold_it_back(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.05)
    headers = bearer(realtime, "org_idle")
    async with client(realtime) as http, http.stream("GET", "/api/events/stream", headers=headers) as answer:
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store, no-transform"
        beats = 0
        async for line in answer.aiter_lines():
            beats += line.startswith(":")
            if beats == 3:
                break

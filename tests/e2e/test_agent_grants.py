"""A user limited to one agent, on the running suite: every operation that reads is asked, and none tells of another.

The second agent and all that belongs to it carry a marker. The limited user may see the marker nowhere.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import websockets

from .conftest import Customer, join, problem, until, until_refused
from .document import OPERATIONS, Operation

READS = [one for one in OPERATIONS if one.method == "GET" and one.path.startswith("/api/")]
WRITES = [one for one in OPERATIONS if one.method != "GET" and one.path.startswith("/api/")]
# What the user does to its own session or account, and what needs no login: no agent is in it.
OWN = (
    "/api/realtime/token",
    "/api/logout",
    "/api/auth/",
    "/api/login",
    "/api/register",
    "/api/invitations",
    "/api/me/",
    "/api/notifications",
)

# Where a thing of the other agent is named by its own id: what says that there is none.
PLACES = {
    "agent_not_found": ("/api/agents/{id}",),
    "call_not_found": ("/api/call-logs/{id}", "/api/live-calls/{id}"),
}
# What refuses the writes whose path names another kind of thing, or none.
REFUSALS = {"agent_not_found", "call_not_found", "job_not_found", "limited_access", "missing_scope"}
OTHERWISE = {
    # Makes an agent, which no limited user may.
    "POST /api/agents/{id}/duplicate": {"limited_access"},
    # A file is no example of the document.
    "POST /api/documents/upload": {"unsupported_media_type"},
    # The example names an agent that is not there.
    "POST /api/live-calls": {"validation_failed"},
    # Calls of other agents are looked for before their commands.
    "POST /api/live-calls/{id}/commands/{commandId}/ack": {"call_not_found"},
}


@dataclass(frozen=True)
class Scene:
    """`names` are texts of which each belongs to the other agent alone."""

    owner: Customer
    user: Customer
    key: httpx.Client
    mine: str
    other: str
    calls: dict[str, str]
    names: tuple[str, ...]


def limit(owner: Customer, user: Customer, *grants: tuple[str, str]) -> httpx.Response:
    body = {"agentAccess": "granted", "grants": [{"agentId": agent, "access": access} for agent, access in grants]}
    answer = owner.http.put(f"/api/users/{user.user['id']}/agent-grants", json=body)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture(scope="module")
def scene(customer: Callable[[], Customer], operator: httpx.Client) -> Scene:
    owner = customer()
    admin = join(owner, operator, "admin")
    marker = "zq" + secrets.token_hex(6)
    mine, other = owner.agent(name="Mine")["id"], owner.agent(name=marker, description=marker)["id"]
    calls = {}
    for agent, word in ((mine, "parcel"), (other, marker)):
        owner.http.post(f"/api/agents/{agent}/publish", json={"description": word})
        begun = owner.http.post("/api/live-calls", json={"externalCallId": word, "agentId": agent}).json()["id"]
        owner.http.post(f"/api/live-calls/{begun}/turns", json={"turns": [{"index": 0, "role": "user", "text": word}]})
        calls[agent] = begun
    ended = owner.http.post("/api/live-calls", json={"externalCallId": f"{marker}-2", "agentId": other}).json()["id"]
    owner.http.post(f"/api/live-calls/{ended}/end", json={"summary": marker})
    # A key of someone who is limited afterwards.
    secret = admin.key("agents:read", "calls:read", "realtime:read")["secret"]
    demoted = owner.http.patch(f"/api/users/{admin.user['id']}", json={"role": "member"})
    assert demoted.status_code == 200, demoted.text
    until_refused(partial(admin.http.get, "/api/admin/queues"), 200)
    limit(owner, admin, (mine, "write"))
    scene = Scene(owner, admin, owner.bearing(secret), mine, other, calls, (marker, other, calls[other], ended))
    for client in (admin.http, scene.key):
        until_refused(partial(client.get, f"/api/agents/{other}"), 200)
    return scene


def tells(scene: Scene, answer: httpx.Response) -> list[str]:
    """Which names of the other agent are in an answer; a problem names the path that was asked."""
    text = answer.text.replace(answer.request.url.path, "")
    return [name for name in scene.names if name in text]


@pytest.mark.parametrize("operation", READS, ids=str)
def test_no_read_tells_a_limited_user_of_another_agent(scene: Scene, operation: Operation) -> None:
    for thing in (scene.other, scene.calls[scene.other], scene.owner.user["id"], scene.owner.organization["id"]):
        path = operation.at(id=thing, version="1", commandId="cmd_x", deliveryId="msg_x", provider="elevenlabs")
        for client in (scene.user.http, scene.key):
            answer = client.get(path)
            assert tells(scene, answer) == []
            assert answer.status_code < 500
        if "{" not in operation.path:
            break


@pytest.mark.parametrize("query", ["search", "agentId", "externalCallId", "sort", "page", "cursor", "includeTotal"])
def test_no_filter_and_no_page_tells_of_another_agent(scene: Scene, query: str) -> None:
    values = {
        "search": scene.names[0], "agentId": scene.other, "externalCallId": scene.names[0], "sort": "createdAt",
        "page": "2", "cursor": "", "includeTotal": "true",
    }  # fmt: skip
    for path in ("/api/agents", "/api/call-logs", "/api/events"):
        params = {query: values[query], **({"cursor": ""} if query == "includeTotal" else {})}
        answer = scene.user.http.get(path, params=params)
        assert tells(scene, answer) == []
        if answer.status_code == 200 and query in ("search", "agentId", "externalCallId"):
            assert (answer.json()["data"], answer.json().get("total", 0)) == ([], 0)


def figures(who: Customer) -> int:
    """The calls of a window that was never asked for before, so that no cache answers."""
    window = {"from": (datetime.now(UTC) - timedelta(hours=1)).isoformat(), "to": datetime.now(UTC).isoformat()}
    answer = who.http.get("/api/analytics/organization", params=window)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["totalCalls"])


def test_totals_and_figures_are_of_the_granted_agent(scene: Scene) -> None:
    user = scene.user.http
    assert [row["id"] for row in user.get("/api/agents").json()["data"]] == [scene.mine]
    assert user.get("/api/agents").json()["total"] == user.get("/api/call-logs").json()["total"] == 1
    assert scene.owner.http.get("/api/call-logs").json()["total"] == 3
    # Figures follow the calls. What the owner has seen by now, no answer of an unlimited caller lacks.
    until(lambda: figures(scene.owner), lambda count: count == 3)
    assert figures(scene.user) == 1
    assert user.get("/api/auth/user").json()["agentAccess"] == "granted"


@pytest.mark.parametrize("operation", [one for one in WRITES if not one.path.startswith(OWN)], ids=str)
def test_no_write_reaches_another_agent(scene: Scene, operation: Operation) -> None:
    """Each is refused, or looks for a thing that is not there; what it would have changed is as before."""
    if operation.path.startswith("/api/webhooks/") or "/recording/content" in operation.path:
        return
    kept = as_they_are(scene)
    for thing, missing in ((scene.other, "agent_not_found"), (scene.calls[scene.other], "call_not_found")):
        path = operation.at(id=thing, version="1", commandId="cmd_01m8f59rmhe3d9h1wxp49bjd1g", provider="elevenlabs")
        body: dict[str, Any] = {"json": operation.example} if operation.body and operation.example is not None else {}
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        answer = scene.user.http.request(operation.method, path, headers=headers, **body)
        assert 400 <= answer.status_code < 500, answer.text
        assert tells(scene, answer) == []
        named = any(operation.path.startswith(each) for each in PLACES[missing])
        expected = OTHERWISE.get(str(operation), {missing} if named else REFUSALS)
        assert answer.json()["code"] in expected, answer.text
    assert as_they_are(scene) == kept


def as_they_are(scene: Scene) -> list[dict[str, Any]]:
    """The other agent and its calls, as the owner sees them."""
    calls = [scene.owner.http.get(f"/api/call-logs/{call}") for call in scene.names[2:]]
    return [answer.json() for answer in (scene.owner.http.get(f"/api/agents/{scene.other}"), *calls)]


def test_a_call_of_another_agent_is_neither_begun_nor_commanded(scene: Scene) -> None:
    begun = scene.user.http.post("/api/live-calls", json={"externalCallId": "x", "agentId": scene.other})
    problem(begun, 422, "validation_failed")
    call = scene.calls[scene.other]
    for path in (f"/api/live-calls/{call}/commands", f"/api/live-calls/{call}/end"):
        problem(
            scene.user.http.post(path, json={"type": "end_call"} if "commands" in path else {}), 404, "call_not_found"
        )
    mine = scene.user.http.post(f"/api/live-calls/{scene.calls[scene.mine]}/commands", json={"type": "end_call"})
    assert mine.status_code == 201, mine.text


async def test_neither_sockets_nor_streams_tell_of_another_agent(scene: Scene) -> None:
    told = scene.user.http.post("/api/realtime/token").json()
    org = scene.owner.organization["id"]
    assert sorted(told["channels"]) == [f"org:{org}:agents", f"org:{org}:calls"]
    heard: list[str] = []
    async with websockets.connect(told["url"]) as socket:
        frames = [{"id": 1, "connect": {"token": told["token"]}}]
        wanted = [*told["channels"], f"call:{scene.calls[scene.other]}"]
        frames += [
            {"id": 2 + n, "subscribe": {"channel": name, "recover": True, "offset": 0, "epoch": ""}}
            for n, name in enumerate(wanted)
        ]
        await socket.send("\n".join(json.dumps(frame) for frame in frames))
        for agent, words in ((scene.other, scene.names[0] + " again"), (scene.mine, secrets.token_hex(4))):
            change = partial(scene.owner.http.patch, f"/api/agents/{agent}", json={"description": words})
            await asyncio.to_thread(change)
        while not any('"agent.updated"' in text for text in heard[-1:]):
            heard.append(str(await asyncio.wait_for(socket.recv(), 30)))
    text = "\n".join(heard)
    assert scene.mine in text
    assert [name for name in scene.names if name in text] == []
    async with (
        httpx.AsyncClient(timeout=30) as http,
        http.stream("GET", told["eventsUrl"], params={"after": "0", "token": told["token"]}) as answer,
    ):
        lines = []
        async for line in answer.aiter_lines():
            lines.append(line)
            if '"agent.updated"' in line:
                break
    assert [name for name in scene.names if name in "\n".join(lines)] == []


def test_a_lost_grant_ends_within_what_every_change_of_rights_takes(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    owner = customer()
    user, agent = join(owner, operator, "member"), owner.agent()["id"]
    assert user.http.get(f"/api/agents/{agent}").status_code == 200
    made = limit(owner, user, (agent, "read"))
    assert made.headers["etag"].startswith('"')
    until_refused(partial(user.http.patch, f"/api/agents/{agent}", json={"name": "Mine"}), 200)
    problem(user.http.patch(f"/api/agents/{agent}", json={"name": "Mine"}), 403, "read_only_grant")
    assert user.http.get(f"/api/agents/{agent}").status_code == 200
    limit(owner, user)
    until_refused(partial(user.http.get, f"/api/agents/{agent}"), 200)
    problem(user.http.get(f"/api/agents/{agent}"), 404, "agent_not_found")
    problem(user.http.post("/api/agents", json={"name": "x"}), 403, "limited_access")
    problem(user.http.get("/api/knowledge-base/entries"), 403, "limited_access")
    lifted = owner.http.put(f"/api/users/{user.user['id']}/agent-grants", json={"agentAccess": "all"})
    assert lifted.json()["grants"] == []
    until_refused(partial(user.http.get, f"/api/agents/{agent}"), 404)
    assert user.http.get(f"/api/agents/{agent}").status_code == 200

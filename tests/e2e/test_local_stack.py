"""What `make up` promises to people and scripts: its files, its three commands, its balance, its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from echosenseix.agent.v1 import agent_pb2, agent_pb2_grpc
from echosenseix.billing.v1 import billing_pb2, billing_pb2_grpc
from local.cli import greeting, status
from local.processes.memory import children_by_parent, pss_mib
from local.runner import first_organization
from local.runner.suite import Suite
from suite.services import SERVICES

ROOT = Path(__file__).resolve().parents[2]
# The README says 1 GB; machines differ by what their libraries and kernels take.
MEMORY_LIMIT_MIB = 1100


def bearer(suite: Suite) -> dict[str, str]:
    return {"Authorization": f"Bearer {suite.api_key}"}


def test_credentials_say_all_that_a_script_needs(suite: Suite) -> None:
    known = suite.credentials
    assert set(known) == {"url", "realtimeUrl", "eventsUrl", "apiKey", "organizationId", "email", "password"}
    assert suite.folder.credentials_file.stat().st_mode & 0o777 == 0o600
    session = httpx.post(f"{suite.url}/api/login", json={"email": known["email"], "password": known["password"]})
    assert session.json()["user"]["organizationId"] == known["organizationId"]


def test_the_three_commands_of_the_greeting_work(suite: Suite) -> None:
    text = greeting.text(suite.folder).partition("Try:\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("curl")]
    assert len(commands) == 3
    answers = [subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout for line in commands]
    health, agents, agent = map(json.loads, answers)
    assert health["status"] == "healthy"
    assert agents["page"] == 1
    assert agent["name"] == "My first agent"


def test_a_key_that_no_longer_works_is_replaced_by_signing_in_again(suite: Suite, tmp_path: Path) -> None:
    known = suite.credentials
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({**known, "apiKey": known["apiKey"][:-4] + "0000"}))
    fresh = first_organization.ensure(file, {name: known[name] for name in ("url", "realtimeUrl", "eventsUrl")})
    assert fresh["organizationId"] == known["organizationId"]
    answer = httpx.get(f"{suite.url}/api/agents", headers={"Authorization": f"Bearer {fresh['apiKey']}"})
    assert answer.status_code == 200


def test_every_service_and_worker_runs_and_all_is_healthy(suite: Suite) -> None:
    roles = {(entry["service"], entry["role"]) for entry in suite.run["processes"]}
    assert roles == {("gateway", "gateway"), *((name, role) for name in SERVICES for role in ("serve", "work"))}
    table, healthy = status.report(suite.folder)
    assert healthy, table


@pytest.fixture
def token(suite: Suite) -> str:
    """As a person gets it, for the agent service."""
    command = [sys.executable, "-m", "local", "token", "agent", "--var", str(suite.folder.path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


async def test_a_token_made_by_hand_opens_one_service(suite: Suite, token: str) -> None:
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(suite.process("agent")["grpc"]) as channel:
        await agent_pb2_grpc.AgentServiceStub(channel).ListAgents(agent_pb2.ListAgentsRequest(), metadata=metadata)
    async with grpc.aio.insecure_channel(suite.process("billing")["grpc"]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await billing_pb2_grpc.BillingServiceStub(channel).GetBalance(
                billing_pb2.GetBalanceRequest(), metadata=metadata
            )
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with Suite(tmp_path_factory.mktemp("scaled"), scale="gateway=3 realtime=2 knowledge-worker=2") as running:
        yield running


def test_an_idle_suite_fits_its_memory(scaled: Suite) -> None:
    """With one process of each; the questions' model is loaded, the documents' by the first document alone."""
    document = scaled.run
    children = children_by_parent()
    one_of_each = {(entry["service"], entry["role"]): entry for entry in document["processes"]}
    roots = [entry["pid"] for entry in (*one_of_each.values(), *document["stores"].values())]
    amounts = [pss_mib(pid, children) for pid in roots]
    assert None not in amounts
    assert sum(amount or 0 for amount in amounts) <= MEMORY_LIMIT_MIB


def test_several_gateways_answer_behind_one_address_and_on_their_own(scaled: Suite) -> None:
    doors = [entry["http"] for entry in scaled.run["processes"] if entry["service"] == "gateway"]
    assert len(doors) == 3
    for door in (scaled.url, *doors):
        assert httpx.get(f"{door}/health").json()["status"] == "healthy"
        assert httpx.get(f"{door}/api/agents", headers=bearer(scaled)).status_code == 200
    assert scaled.url not in doors


def test_a_killed_gateway_is_not_noticed_behind_the_balancer(scaled: Suite) -> None:
    old = scaled.kill("gateway-1")
    answers = {httpx.get(f"{scaled.url}/health/live").status_code for _ in range(20)}
    assert answers == {200}
    scaled.wait_restarted("gateway-1", old)


def test_sockets_reach_realtime_through_the_public_address(scaled: Suite) -> None:
    answer = httpx.post(f"{scaled.url}/api/realtime/token", json={}, headers=bearer(scaled)).json()
    assert answer["url"].startswith(scaled.credentials["realtimeUrl"])
    http = answer["url"].replace("ws://", "http://", 1)
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    with httpx.stream("GET", http, headers=upgrade) as opened:
        assert opened.status_code == 101

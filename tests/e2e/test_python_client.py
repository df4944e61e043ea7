"""The Python client on the running suite: the journey, both clients, a verified webhook, and a stream that is cut."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from clients.python.echosenseix import AsyncClient, Client, NotAuthenticated, NotFound, PreconditionFailed, Webhook
from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS
from tests.receivers import first_free

from .conftest import Customer
from .deliveries import Account, conversation, fresh_id

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "services" / "knowledge" / "samples" / "americas.pdf"
README = ROOT / "clients" / "python" / "README.md"


@pytest.fixture
def client(ada: Customer) -> Iterator[Client]:
    with Client(ada.url, ada.key("*")["secret"]) as made:
        yield made


@pytest.fixture
async def async_client(ada: Customer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(ada.url, ada.key("*")["secret"]) as made:
        yield made


def test_the_journey(client: Client) -> None:
    agent = client.agents.create_agent({"name": "Reception", "systemPrompt": "You are helpful."})
    changed = client.agents.update_agent(agent["id"], {"firstMessage": "Hello."}, if_match=f'"{agent["version"]}"')
    assert changed["firstMessage"] == "Hello."
    with pytest.raises(PreconditionFailed):
        client.agents.update_agent(agent["id"], {"firstMessage": "Hi."}, if_match=f'"{agent["version"]}"')
    assert client.agents.publish_agent(agent["id"])["version"] == 1
    sent: list[int] = []
    upload = client.documents.upload_document(SAMPLE, on_progress=lambda done, size: sent.append(done))
    assert sent[-1] == SAMPLE.stat().st_size
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status := client.documents.get_status(upload["documentId"]))["status"] == "processing":
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    found = client.knowledge.search({"query": "Where do the Americas lie?", "maxResults": 3})
    assert found["results"][0]["entryId"] == upload["entryId"]
    paid = client.billing.create_top_up({"amount": "10.00"}, idempotency_key="a-key-of-mine")
    assert client.billing.create_top_up({"amount": "10.00"}, idempotency_key="a-key-of-mine")["id"] == paid["id"]
    assert client.billing.get_balance()["posted"] == paid["balance"]["posted"]
    assert client.documents.download_document(upload["documentId"]) == SAMPLE.read_bytes()
    client.agents.delete_agent(agent["id"])
    with pytest.raises(NotFound) as gone:
        client.agents.get_agent(agent["id"])
    assert gone.value.code == "agent_not_found"


def test_the_blocks_of_its_readme_run(ada: Customer, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "hours.pdf")
    journey, webhooks, live = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    opened = 'client = Client("http://127.0.0.1:8080", "esx_…")\n'
    text = f"{journey}{webhooks}print(receive({{'webhook-id': '1'}}, b'{{}}'))\n{opened}{live}    break\n"
    text = text.replace("http://127.0.0.1:8080", ada.url).replace("esx_…", ada.key("*")["secret"])
    text = text.replace("whsec_…", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    environment = {**os.environ, "PYTHONPATH": str(README.parent)}
    command = [sys.executable, "-c", text]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    size = SAMPLE.stat().st_size
    assert f"{size} of {size}\n401\n" in done.stdout
    assert "agent.created" in done.stdout


def test_a_wrong_key_is_told_apart(ada: Customer) -> None:
    with Client(ada.url, "esx_wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.agents.list_agents().first_page()


async def test_rows_by_either_client_are_all_rows(client: Client, async_client: AsyncClient) -> None:
    made = [client.agents.create_agent({"name": f"Agent {number}"})["id"] for number in range(5)]
    by_cursor = [row["id"] for row in client.agents.list_agents(limit=2, sort="createdAt", order="asc")]
    assert by_cursor[-5:] == made
    assert [row["id"] async for row in async_client.agents.list_agents(limit=2, order="asc")] == by_cursor
    assert client.agents.list_agents(limit=2).first_page(2)["page"] == 2


async def test_the_async_client_uploads_with_progress(client: Client, async_client: AsyncClient) -> None:
    sent: list[int] = []
    upload = await async_client.documents.upload_document(SAMPLE, on_progress=lambda done, size: sent.append(done))
    assert sent == sorted(sent)
    assert sent[-1] == SAMPLE.stat().st_size
    assert client.documents.download_document(upload["documentId"]) == SAMPLE.read_bytes()


async def test_many_writes_at_once_by_the_async_client(async_client: AsyncClient) -> None:
    answers = await asyncio.gather(*(async_client.agents.create_agent({"name": "At once"}) for _ in range(10)))
    assert len({answer["id"] for answer in answers}) == 10


def test_a_delivery_of_ours_verifies(ada: Customer, client: Client) -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    receiver = first_free(lambda port: HTTPServer(("127.0.0.1", port), Receiver))
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        endpoint = client.webhooks_out.create_endpoint({"url": url, "eventTypes": ["agent.created"]})
        agent = client.agents.create_agent({"name": "Announced"})
        deadline = time.monotonic() + PATIENCE_SECONDS
        told: list[tuple[str, str]] = []
        # Agents that other tests made just before may be told of first.
        while ("agent.created", agent["id"]) not in told:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
            events = [Webhook(endpoint["secret"]).verify(*one) for one in received]
            told = [(event["type"], event["data"]["agentId"]) for event in events]
    finally:
        client.webhooks_out.delete_endpoint(endpoint["id"])
        receiver.shutdown()
        receiver.server_close()


def test_the_stream_goes_on_after_the_events_server_was_killed(suite: Suite, ada: Customer, client: Client) -> None:
    first, second = client.agents.create_agent({"name": "One"}), None
    heard: list[str] = []
    stream = client.stream_events(after="0")
    for event in stream:
        if event["type"] == "agent.created":
            heard.append(event["data"]["agentId"])
        if second is None and heard[-1:] == [first["id"]]:
            pid = suite.kill("realtime")
            second = client.agents.create_agent({"name": "Two"})
            suite.wait_restarted("realtime", pid)
        if second is not None and heard[-1] == second["id"]:
            break
    assert len(set(heard)) == len(heard)
    assert stream.position is not None


async def test_the_async_stream_hears_a_call(ada: Customer, async_client: AsyncClient) -> None:
    account, told = Account(ada, "elevenlabs"), fresh_id()
    call = account.told(conversation(told), told)
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in async_client.stream_events(after="0"):
            if event["type"] == "call.ended":
                assert event["data"]["callId"] == call["id"]
                break

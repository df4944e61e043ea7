"""A customer with something to see: agents with versions, a month of calls, a recording, documents, keys, an endpoint.

All of it arrives through the public API and the provider's signed webhooks, as a customer's does.
"""

from __future__ import annotations

import http.server
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from local.paths import ROOT
from tests.e2e.conftest import Customer
from tests.e2e.deliveries import Account, audio, conversation, fresh_id
from tests.patience import PATIENCE_SECONDS
from tests.receivers import first_free

DOCUMENT = ROOT / "services" / "knowledge" / "samples" / "americas.pdf"
SPEECH = ROOT / "tests" / "samples" / "speech" / "booking.ogg"
# So many that a list has a second page.
CALLS = 60

PROMPTS = {
    "Front desk": "You answer for the Hotel Adler in Basel.\nOffer a room only when one is free.\nSay its price.",
    "Table booking": "You take bookings for the Osteria.\nAsk for day, time and guests.\nRepeat the booking.",
    "Delivery questions": "You tell callers where their parcel is.\nAsk for the tracking number first.",
}  # fmt: skip
TOPICS = (
    ("A room for two in May", "The caller books a double room from May 3 to 6.", "success"),
    ("A table for four on Friday", "Four guests on Friday at seven, by the window.", "success"),
    ("Where is my parcel", "The parcel is at the depot and comes tomorrow morning.", "success"),
    ("Late arrival", "The caller arrives after midnight and asks for the code of the door.", "success"),
    ("Invoice for March", "The caller wants an invoice that the agent cannot send.", "failure"),
    ("Cancelled booking", "The caller cancels the booking of tonight.", "success"),
)
TURNS = (
    ("agent", "Good morning, this is the front desk. How can I help you?", 0),
    ("user", "Hello! I would like a room for two, from the third to the sixth of May.", 3),
    ("agent", "We have a double room with a view of the Rhine for 180 francs a night. Shall I book it?", 9),
    ("user", "Yes, please. The name is <img src=x onerror=alert(1)> Müller, with ü.", 16),
    ("agent", "Thank you, Ms. Müller. The room is booked from May 3 to 6. You get a confirmation by mail.", 20),
)


@dataclass
class Scene:
    """What the walk looks for."""

    customer: Customer
    agent: dict[str, Any]
    call: dict[str, Any]
    entry: str
    receiver: Receiver


class Receiver(http.server.ThreadingHTTPServer):
    """Takes webhooks at one of the allowed ports and answers them with `status`."""

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, port: int) -> None:
        self.bodies: list[bytes] = []
        self.status = 204
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/events"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def do_GET(self) -> None:
        """A page that the knowledge can follow."""
        body = b"<title>House rules</title><h1>House rules</h1><p>The sauna opens at four in the afternoon.</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the walk's output is the tests'."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = first_free(Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


def furnish(customer: Customer, receiver: Receiver) -> Scene:
    agents = [_agent(customer.http, name, prompt) for name, prompt in PROMPTS.items()]
    account = Account(customer, "elevenlabs")
    told = [_report(account, agents[number % len(agents)], number) for number in range(CALLS)]
    newest = account.call(told[0])
    account.deliver(audio(told[0], SPEECH.read_bytes()))
    with DOCUMENT.open("rb") as file:
        taken = _made(customer.http.post("/api/documents/upload", files={"document": ("americas.pdf", file)}), 202)
    text = {"title": "Opening hours", "content": "The front desk is open from 7 to 23 h.",
            "category": "hotel", "tags": ["hours"]}  # fmt: skip
    _made(customer.http.post("/api/knowledge-base/entries", json=text), 201)
    endpoint = {"url": receiver.url, "eventTypes": ["agent.*", "call.ended"], "description": "Our booking system"}
    _made(customer.http.post("/api/webhook-endpoints", json=endpoint), 201)
    _until(lambda: len(_rows(customer, "/api/call-logs")) == CALLS)
    _until(lambda: len(_rows(customer, "/api/billing/ledger")) == CALLS + 1)
    _until(lambda: customer.http.get(f"/api/call-logs/{newest['id']}").json()["recording"] is not None)
    _until(lambda: _status(customer, taken["documentId"]) == "completed")
    call = customer.http.get(f"/api/call-logs/{newest['id']}").json()
    return Scene(customer, agents[0], call, taken["entryId"], receiver)


def _agent(client: httpx.Client, name: str, prompt: str) -> dict[str, Any]:
    """An agent with two versions and a draft that differs from both."""
    content = {"name": name, "systemPrompt": prompt, "firstMessage": "Good morning!", "language": "en",
               "tags": ["phone"], "llm": {"model": "gpt-5-mini", "temperature": 0.3}}  # fmt: skip
    agent = _made(client.post("/api/agents", json=content), 201)
    path, external = f"/api/agents/{agent['id']}", f"agent_{agent['id'][-10:]}"
    _made(client.post(f"{path}/publish", json={"description": "First version"}), 201)
    change = {
        "systemPrompt": prompt + "\nSpeak slowly when the caller asks.",
        "provider": "elevenlabs",
        "externalAgentId": external,
    }
    _made(client.patch(path, json=change), 200)
    _made(client.post(f"{path}/publish", json={"description": "Speaks slowly on demand"}), 201)
    return _made(client.patch(path, json={"llm": {"temperature": 0.2}}), 200)


def _report(account: Account, agent: dict[str, Any], number: int) -> str:
    """The provider's report of a call of the last four weeks; the first one is of this hour."""
    external = fresh_id()
    title, summary, outcome = TOPICS[number % len(TOPICS)]
    seconds = 28 + number * 37 % 90
    began = int(time.time()) - seconds - 60 - number * 37 % 671 * 3600
    turns = [{"role": role, "message": text, "time_in_call_secs": at} for role, text, at in TURNS]
    direction = "outbound" if number % 5 == 3 else "inbound"
    phone = {"type": "twilio", "direction": direction, "agent_number": "+41615550100",
             "external_number": f"+4161555{1000 + number * 7}", "call_sid": f"CA{number}"}  # fmt: skip
    report = conversation(
        external,
        agent_id=agent["externalAgentId"],
        transcript=turns,
        metadata={"start_time_unix_secs": began, "call_duration_secs": seconds, "cost": 300 + seconds,
                  "phone_call": phone, "termination_reason": "The caller ended the call", "main_language": "en"},
        analysis={"call_successful": outcome, "transcript_summary": summary, "call_summary_title": title},
    )  # fmt: skip
    assert account.deliver(report).status_code == 200
    return external


def _made(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _rows(customer: Customer, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = customer.http.get(path, params={"limit": 200}).json()["data"]
    return rows


def _status(customer: Customer, document: str) -> str:
    return str(customer.http.get(f"/api/documents/{document}/status").json()["status"])


def _until(is_so: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for _ in itertools.count():
        if is_so():
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)

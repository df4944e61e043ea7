"""The journey itself: steps, each a short function over what the earlier ones made.

It runs in an organization that may have been used before, so each step looks at what this run made.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.python.echosenseix import Webhook
from local.demo.api import Api
from local.demo.console import Console, StepFailed
from local.demo.envelope import post_call, signed
from local.demo.listening import Listener, Receiver, until
from local.paths import ROOT
from suite.services import AREAS

# The sample document with questions whose answers are known.
SAMPLES = ROOT / "services" / "knowledge" / "samples"
# All of a tenant's scopes by name: the demo shows what a key of a real integration lists.
SCOPES = [f"{area}:{verb}" for area in AREAS for verb in ("read", "write")]
# Seconds of the demo's call: no whole minute, so that rounding in the bill would show.
CALL_SECONDS = 83
# The end of the key that the demo enters, which is all that is shown of a key.
DEMO_MARK = "demo"


@dataclass
class Journey:
    """What the steps hand on to each other."""

    api: Api
    console: Console
    document: Path | None = None
    question: str = ""
    calls_before: int = 0
    minutes_before: float = 0.0
    stranger: Api = field(init=False)
    made: dict[str, str] = field(default_factory=dict)
    webhook_secret: str = field(default_factory=lambda: "wsec_" + secrets.token_hex(16))
    external_agent_id: str = field(default_factory=lambda: "agent_" + secrets.token_hex(8))
    envelope: dict[str, Any] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    receiver: Receiver = field(default_factory=Receiver)
    callers: list[Api] = field(default_factory=list)

    @property
    def document_title(self) -> str:
        """Words to look for where no one asked anything of an own document."""
        return self.document.stem.replace("_", " ") if self.document else ""

    def __post_init__(self) -> None:
        self.callers.append(self.api)

    async def run(self) -> None:
        """Every step in order; StepFailed at the first that is wrong."""
        try:
            for step in STEPS:
                self.console.step((step.__doc__ or "").strip().rstrip("."))
                await step(self)
        finally:
            await self._remove_receiver()
            for listener in self.listeners:
                await listener.stop()
            await self.receiver.stop()
            for api in self.callers:
                await api.close()

    async def _remove_receiver(self) -> None:
        """The demo's receiver ends with it, so its endpoint would only collect failures."""
        if "webhook-endpoint" in self.made:
            await self.api.client.webhooks_out.delete_endpoint(self.made["webhook-endpoint"])

    async def poll(
        self, path: str, is_done: Callable[[Any], bool], promise: str, seconds: float = 30.0, **params: Any
    ) -> Any:
        """Ask until the answer is as promised; show the last one."""
        ends = time.monotonic() + seconds
        while True:
            answer = await self.api.get(path, quiet=True, **params)
            if is_done(answer):
                # Asked once more, so that the answer is shown with -v.
                return await self.api.get(path, **params)
            if time.monotonic() > ends:
                raise StepFailed(f"{promise}: not within {seconds:.0f} s; last answer: {json.dumps(answer)[:400]}")
            await asyncio.sleep(0.05)


async def _sign_up(journey: Journey, organization: str) -> Api:
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18)
    api = journey.api
    person = {"firstName": "Alice", "lastName": "Liddell", "organizationName": organization}
    registered = await api.post("/api/register", {"email": email, "password": password, **person}, key=False)
    session = await api.post("/api/login", {"email": email, "password": password}, expect=200, key=False)
    logged_in = api.with_credential(session["token"])
    key = await logged_in.post("/api/api-keys", {"name": "demo", "scopes": SCOPES})
    journey.console.check(
        registered["user"]["organizationId"] == registered["organization"]["id"], f"{organization} signed up"
    )
    await logged_in.close()
    signed_up = api.with_credential(key["secret"])
    journey.callers.append(signed_up)
    return signed_up


async def sign_up(journey: Journey) -> None:
    """Register an organization of its own, with an API key of all scopes: for load and fault runs."""
    journey.stranger = await _sign_up(journey, "Someone Else Ltd")
    journey.api = await _sign_up(journey, "Wonderland Tours")


async def meet_the_organization(journey: Journey) -> None:
    """Meet the organization whose key `make up` printed, and register a second one that shall see nothing of it."""
    organization = await journey.api.get("/api/organization")
    seen = await journey.api.get("/api/analytics/organization")
    journey.calls_before, journey.minutes_before = seen["totalCalls"], seen["totalMinutes"]
    journey.console.check(bool(organization["id"]), f"{organization['name']} has {seen['totalCalls']} calls so far")
    journey.stranger = await _sign_up(journey, "Someone Else Ltd")


async def publish_an_agent(journey: Journey) -> None:
    """Create an agent, edit its draft, publish version 1, tie it to its provider."""
    api = journey.api
    agent = await api.post("/api/agents", {"name": "Tour guide", "systemPrompt": "You book tours.", "language": "en"})
    journey.made["agent"] = agent_id = agent["id"]
    await api.patch(f"/api/agents/{agent_id}", {"firstMessage": "Good afternoon!", "llm": {"temperature": 0.3}})
    version = await api.post(f"/api/agents/{agent_id}/publish", {"description": "first"})
    journey.console.check(version["version"] == 1, "version 1 is published", version)
    await api.patch(f"/api/agents/{agent_id}", {"externalAgentId": journey.external_agent_id})
    await _leave_own_credentials(journey)
    credentials = {"apiKey": f"sk_{secrets.token_hex(12)}_{DEMO_MARK}", "webhookSecret": journey.webhook_secret}
    integration = await api.put("/api/integrations/elevenlabs", {"credentials": credentials})
    journey.made["webhookUrl"] = integration["webhookUrl"]
    leaked = [value for value in credentials.values() if value in json.dumps(integration)]
    journey.console.check(not leaked, "the provider's credentials do not come back", integration)


async def _leave_own_credentials(journey: Journey) -> None:
    """Credentials that the user entered stay: the demo's own end with a mark."""
    known = await journey.api.get("/api/integrations")
    own = [
        row for row in known["data"] if row["provider"] == "elevenlabs" and row["apiKeyLast4"] not in (None, DEMO_MARK)
    ]
    if own:
        raise StepFailed(
            "this organization has credentials of ElevenLabs, which the demo would replace; "
            "remove them with DELETE /api/integrations/elevenlabs, or use another installation (--var)"
        )


async def upload_a_document(journey: Journey) -> None:
    """Upload a document and watch it become searchable."""
    path = journey.document or SAMPLES / _questions()["document"]
    started = time.monotonic()
    taken = await journey.api.upload(path.name, path.read_bytes(), category="books")
    journey.made["document"], journey.made["entry"] = taken["documentId"], taken["entryId"]
    journey.made["job"] = taken["jobId"]
    status = await _watch(journey, taken["documentId"])
    seconds = time.monotonic() - started
    journey.console.check(
        status["status"] == "completed" and status["chunks"] > 0,
        f"{status['totalPages'] or 'No'} pages became {status['chunks']} chunks, searchable after {seconds:.1f} s",
        status,
    )
    job = await journey.api.get(f"/api/jobs/{taken['jobId']}")
    journey.console.check(job["state"] == "completed", "its job says completed", job)


def _questions() -> Any:
    """The sample's file name and its paraphrase questions."""
    return json.loads((SAMPLES / "questions.json").read_text("utf-8"))


async def _watch(journey: Journey, document_id: str) -> Any:
    last = -1
    while True:
        status = await journey.api.get(f"/api/documents/{document_id}/status", quiet=True)
        if status["progress"] != last:
            last = status["progress"]
            journey.console.progress(f"{status['processedPages']} of {status['totalPages'] or '?'} pages", last)
        if status["status"] != "processing":
            return status
        await asyncio.sleep(0.1)


async def search_it(journey: Journey) -> None:
    """Ask the document: a question of yours, or the sample's in other words by hybrid, keyword and vector search."""
    if journey.question or journey.document is not None:
        await _ask(journey, journey.question or journey.document_title)
        return
    questions = _questions()["questions"]
    await _ask(journey, questions[0]["question"])
    found = await _search(journey, questions[0]["question"], "hybrid")
    if found["fallbackReason"]:
        journey.console.say(f"the database has no pgvector: searched by {found['mode']} ({found['fallbackReason']})")
        return
    share = {mode: await _hit_share(journey, questions, mode) for mode in ("hybrid", "keyword", "vector")}
    journey.console.check(
        # The questions use other words than the document, so keyword search alone finds fewer of them.
        share["hybrid"] >= 0.8 and share["hybrid"] > share["keyword"],
        "hit@3 over {} paraphrases: hybrid {hybrid:.2f}, keyword {keyword:.2f}, vector {vector:.2f}".format(
            len(questions), **share
        ),
    )


async def _ask(journey: Journey, question: str) -> None:
    found = await _search(journey, question, "hybrid")
    journey.console.check(bool(found["results"]), f"“{question}” finds {len(found['results'])} passages", found)
    journey.console.say(f"best: {' '.join(found['results'][0]['text'].split())[:300]}")


async def _search(journey: Journey, question: str, mode: str) -> Any:
    """In this run's document alone."""
    body = {"query": question, "mode": mode, "maxResults": 3, "filters": {"entryIds": [journey.made["entry"]]}}
    return await journey.api.post("/api/knowledge-base/search", body, expect=200, key=False)


async def _hit_share(journey: Journey, questions: list[dict[str, Any]], mode: str) -> float:
    hits = 0
    for question in questions:
        found = await _search(journey, question["question"], mode)
        texts = [" ".join(hit["text"].split()) for hit in found["results"]]
        hits += any(phrase in text for text in texts for phrase in question["expected"])
    return hits / len(questions)


async def listen(journey: Journey) -> None:
    """Listen: two sockets of the public SDK, and a webhook endpoint."""
    for api, label in ((journey.api, "ours"), (journey.stranger, "a stranger's")):
        token = await api.post("/api/realtime/token", {}, expect=200, key=False)
        channel = next(name for name in token["channels"] if name.endswith(":calls"))
        listener = Listener(token["url"], token["token"], channel)
        await listener.start()
        journey.listeners.append(listener)
        journey.console.check(listener.refused == 0, f"{label} socket listens to {channel}")
    await journey.receiver.start()
    endpoint = await journey.api.post(
        "/api/webhook-endpoints", {"url": journey.receiver.url, "eventTypes": ["call.ended"]}
    )
    journey.made["webhook-endpoint"], journey.made["endpointSecret"] = endpoint["id"], endpoint["secret"]


async def receive_a_call(journey: Journey) -> None:
    """The provider reports a call, ten times at once; forged and stale reports are refused."""
    journey.envelope = post_call(journey.external_agent_id, seconds=CALL_SECONDS)
    body, headers = signed(journey.envelope, journey.webhook_secret)
    path = "/" + journey.made["webhookUrl"].split("/", 3)[3]
    started = time.monotonic()
    answers = await asyncio.gather(*(journey.api.raw(path, body, headers) for _ in range(10)))
    seconds = time.monotonic() - started
    journey.console.exchange("POST", path, journey.envelope, answers[0].status_code, answers[0].json())
    journey.console.check({answer.status_code for answer in answers} == {200}, "all ten deliveries were taken")
    fresh = [answer for answer in answers if not answer.json()["duplicate"]]
    journey.console.check(
        len(fresh) == 1 and seconds < 1.0, f"one of them was new; all answered within {seconds:.2f} s"
    )
    forged = await journey.api.raw(path, body + b" ", headers)
    stale = await journey.api.raw(path, *signed(journey.envelope, journey.webhook_secret, int(time.time()) - 1_900))
    early = await journey.api.raw(path, *signed(journey.envelope, journey.webhook_secret, int(time.time()) + 1_900))
    unsigned = await journey.api.raw(path, body, {"Content-Type": "application/json"})
    refused = [answer.status_code for answer in (forged, stale, early, unsigned)]
    journey.console.check(refused == [401] * 4, "forged, stale, early and unsigned reports are refused", refused)


async def read_the_call(journey: Journey) -> None:
    """The call log: turns, summary, duration, the version that served it."""
    conversation = journey.envelope["data"]["conversation_id"]

    def mine(page: Any) -> list[Any]:
        return [row for row in page["data"] if row["externalCallId"] == conversation]

    rows = await journey.poll("/api/call-logs", lambda page: bool(mine(page)), "the call appears", search="quadrille")
    journey.console.check(
        len(mine(rows)) == 1 and "transcript" not in mine(rows)[0],
        "one call is found by a word of its transcript; the list carries no transcripts",
        rows,
    )
    journey.made["call-log"] = call_id = mine(rows)[0]["id"]
    call = await journey.api.get(f"/api/call-logs/{call_id}")
    journey.console.check(
        len(call["transcript"]) == len(journey.envelope["data"]["transcript"])
        and (call["agentId"], call["agentVersion"]) == (journey.made["agent"], 1)
        and call["durationSeconds"] == CALL_SECONDS,
        "its turns, agent, version and duration are as the provider reported",
        call,
    )


async def bill_it(journey: Journey) -> None:
    """The call is metered once: usage, a ledger entry that names it, a balance that adds up."""
    api, call_id = journey.api, journey.made["call-log"]
    ledger = await journey.poll("/api/billing/ledger", lambda page: page["data"], "the call is rated", callId=call_id)
    entries = ledger["data"]
    journey.console.check(
        len(entries) == 1 and entries[0]["type"] == "usage", "one ledger entry names the call", entries
    )
    usage = await api.get("/api/billing/usage")
    journey.console.check(
        "call_seconds" in [row["meter"] for row in usage["data"]], "the seconds of calls are metered", usage
    )
    before = await api.get("/api/billing/balance")
    topped_up = await api.post("/api/billing/top-ups", {"amount": "10.00", "currency": "USD"})
    journey.console.check(topped_up["balance"]["posted"] != before["posted"], "a top-up moves the balance", topped_up)
    await journey.poll("/api/billing/reconcile", lambda answer: answer["calls"] > 0, "reconciliation sees the call")
    differences = (await api.get("/api/billing/reconcile", quiet=True))["differences"]
    journey.console.check(differences == [], "calls, usage and ledger reconcile without a difference", differences)
    await journey.poll(f"/api/call-logs/{call_id}", lambda call: call["cost"] is not None, "the call shows its cost")


async def hear_of_it(journey: Journey) -> None:
    """Both ways brought it: the socket, also across a forced drop, and the webhook after a retry."""
    ours, theirs = journey.listeners
    await until(lambda: bool(ours.of_type("call.ended")), "call.ended on the socket")
    # Cut before the second call: its event can only arrive by recovery.
    await ours.drop()
    second = post_call(journey.external_agent_id, seconds=30)
    path = "/" + journey.made["webhookUrl"].split("/", 3)[3]
    await journey.api.raw(path, *signed(second, journey.webhook_secret))
    await until(lambda: len(ours.of_type("call.ended")) == 2, "the second call.ended")
    heard = [event["data"]["callId"] for event in ours.of_type("call.ended")]
    journey.console.check(
        ours.recovered and len(set(heard)) == 2, "two calls heard, none lost to the drop, none twice", heard
    )
    journey.console.check(theirs.events == [], "the stranger heard nothing", theirs.events)
    # The first delivery is refused by the receiver, so two events take three requests.
    await until(lambda: len(journey.receiver.requests) >= 3, "the webhook after its retry", 30)
    headers, body = journey.receiver.requests[-1]
    envelope = Webhook(journey.made["endpointSecret"]).verify(headers, body)
    ids = [sent["webhook-id"] for sent, _ in journey.receiver.requests]
    journey.console.check(
        envelope["type"] == "call.ended" and len(set(ids)) == 2,
        "the webhook verifies; the refused delivery came again under its id",
        ids,
    )


async def stay_apart(journey: Journey) -> None:
    """Another organization's key gets 404 for everything above."""
    paths = {
        "agent": "/api/agents/{}",
        "document": "/api/documents/{}/status",
        "entry": "/api/knowledge-base/entries/{}",
        "job": "/api/jobs/{}",
        "call-log": "/api/call-logs/{}",
        "webhook-endpoint": "/api/webhook-endpoints/{}",
    }
    for name, path in paths.items():
        await journey.stranger.get(path.format(journey.made[name]), expect=404, quiet=True)
    journey.console.check(True, f"404 for {', '.join(paths)}")
    found = await journey.stranger.get("/api/call-logs", search="quadrille")
    journey.console.check(found["data"] == [], "and the word finds nothing there")


async def see_the_analytics(journey: Journey) -> None:
    """The organization's analytics show the calls."""
    seen = await journey.poll(
        "/api/analytics/organization",
        lambda answer: answer["totalCalls"] >= journey.calls_before + 2,
        "analytics follow",
    )
    minutes = (CALL_SECONDS + 30) / 60
    more = seen["totalMinutes"] - journey.minutes_before
    journey.console.check(more > minutes - 0.02, f"two calls more, {minutes:.2f} minutes more", seen)


STEPS: list[Callable[[Journey], Awaitable[None]]] = [
    meet_the_organization,
    publish_an_agent,
    upload_a_document,
    search_it,
    listen,
    receive_a_call,
    read_the_call,
    bill_it,
    hear_of_it,
    stay_apart,
    see_the_analytics,
]

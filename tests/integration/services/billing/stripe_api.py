"""A server that behaves as Stripe's API does for Checkout Sessions, and signs events as Stripe signs its webhooks.

After https://docs.stripe.com/api: form-encoded requests, a bearer key, Idempotency-Key (the same parameters: the same
answer; other parameters: idempotency_error), errors as {"error": {"type", "code", "message"}}.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECRET_KEY = "sk_test_51ABCdef"
WEBHOOK_SECRET = "whsec_0123456789abcdef"
MIN_CENTS = 50


@dataclass
class StripeApi:
    url: str = ""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)
    # Statuses to answer before anything else is looked at, the next first.
    failures: list[int] = field(default_factory=list)
    _answers: dict[str, tuple[dict[str, str], dict[str, Any]]] = field(default_factory=dict)

    async def create_session(self, request: Request) -> Response:
        body = (await request.body()).decode()
        form, key = dict(parse_qsl(body, keep_blank_values=True)), request.headers.get("idempotency-key", "")
        self.requests.append(form)
        if self.failures:
            status = self.failures.pop(0)
            return _error(status, "api_error", "", {"retry-after": "7"} if status == 429 else {})
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return _error(401, "invalid_request_error", "")
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _error(400, "invalid_request_error", "")
        if key in self._answers:
            told, answer = self._answers[key]
            return JSONResponse(answer) if told == form else _error(400, "idempotency_error", "")
        cents = form.get("line_items[0][price_data][unit_amount]", "")
        needed = ("success_url", "line_items[0][price_data][product_data][name]", "line_items[0][quantity]")
        if form.get("mode") != "payment" or not cents.isdigit() or not all(form.get(name) for name in needed):
            return _error(400, "invalid_request_error", "parameter_missing")
        if int(cents) < MIN_CENTS:
            return _error(400, "invalid_request_error", "amount_too_small")
        number = f"cs_test_{len(self.sessions):04}"
        self.sessions[number] = {
            "id": number,
            "object": "checkout.session",
            "amount_total": int(cents) * int(form["line_items[0][quantity]"]),
            "currency": form["line_items[0][price_data][currency]"],
            "client_reference_id": form.get("client_reference_id"),
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "url": f"https://checkout.stripe.com/c/pay/{number}",
        }
        self._answers[key] = (form, dict(self.sessions[number]))
        return JSONResponse(self.sessions[number])

    def session_of(self, top_up_id: str) -> dict[str, Any]:
        return next(item for item in self.sessions.values() if item["client_reference_id"] == top_up_id)

    def paid(self, top_up_id: str) -> dict[str, Any]:
        """The session after its customer paid."""
        session = self.session_of(top_up_id)
        payment = "pi_" + session["id"].removeprefix("cs_test_") + top_up_id[-6:]
        return {**session, "payment_intent": payment, "payment_status": "paid", "status": "complete"}


def event(kind: str, thing: dict[str, Any], *, event_id: str = "", created: int = 0, **fields: Any) -> bytes:
    """An event as Stripe sends it."""
    document = {
        "id": event_id or f"evt_{hashlib.sha256(json.dumps([kind, thing, created]).encode()).hexdigest()[:24]}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": created or int(time.time()),
        "livemode": False,
        "type": kind,
        "data": {"object": thing},
        **fields,
    }
    return json.dumps(document, indent=2).encode()


def signature(body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """The Stripe-Signature header."""
    stamp = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest},v0={'0' * 64}"


@asynccontextmanager
async def serving_stripe() -> AsyncIterator[StripeApi]:
    import asyncio

    api = StripeApi()
    app = Starlette(routes=[Route("/v1/checkout/sessions", api.create_session, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    running = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    api.url = f"http://127.0.0.1:{port}"
    yield api
    server.should_exit = True
    await running


def _error(status: int, kind: str, code: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"type": kind, "code": code, "message": "refused"}}, status, headers)

"""Providers' deliveries to the running suite, signed as each provider signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.patience import PATIENCE_SECONDS

from .conftest import Customer

KEY, SECRET = "key_0123456789abcdef", "wsec_0123456789abcdef"


def digest(secret: str, *parts: bytes) -> str:
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).hexdigest()


class Account:
    """A customer's account at one provider: what the provider delivers, and the calls that come of it."""

    def __init__(self, customer: Customer, provider: str) -> None:
        credentials = {"apiKey": KEY, "webhookSecret": SECRET}
        answer = customer.http.put(f"/api/integrations/{provider}", json={"credentials": credentials})
        assert answer.status_code == 200, answer.text
        self.customer, self.provider = customer, provider
        self.path: str = urlsplit(answer.json()["webhookUrl"]).path

    def signature(self, body: bytes) -> dict[str, str]:
        now = time.time()
        if self.provider == "elevenlabs":
            stamp = str(int(now))
            return {"ElevenLabs-Signature": f"t={stamp},v0={digest(SECRET, stamp.encode(), b'.', body)}"}
        if self.provider == "retell":
            stamp = str(int(now * 1000))
            return {"X-Retell-Signature": f"v={stamp},d={digest(KEY, body, stamp.encode())}"}
        if self.provider == "bland":
            return {"X-Webhook-Signature": digest(SECRET, body)}
        return {"Authorization": f"Bearer {SECRET}"}

    def deliver(self, document: Any, *, chunked: bool = False, headers: dict[str, str] | None = None) -> httpx.Response:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"Content-Type": "application/json", **(self.signature(body) if headers is None else headers)}
        content = chunks(body) if chunked else body
        return self.customer.bearing(None).post(self.path, content=content, headers=sent)

    def call(self, external_id: str, **known: Any) -> dict[str, Any]:
        """The call of that id, once it is there and is as `known` says."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            listed = self.customer.http.get("/api/call-logs", params={"externalCallId": external_id})
            assert listed.status_code == 200, listed.text
            rows = listed.json()["data"]
            found = self.customer.http.get(f"/api/call-logs/{rows[0]['id']}").json() if rows else {}
            if found and known.items() <= found.items():
                return found
            time.sleep(0.1)
        raise AssertionError(f"no such call: {known} is not in {found}")

    def told(self, document: Any, external_id: str, **known: Any) -> dict[str, Any]:
        answer = self.deliver(document)
        assert answer.status_code == 200, answer.text
        return self.call(external_id, **known)


def chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 64 * 1024):
        yield body[start : start + 64 * 1024]


def fresh_id(prefix: str = "conv") -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


def conversation(external_id: str, **data: Any) -> dict[str, Any]:
    """A finished conversation of ElevenLabs."""
    known = {
        "agent_id": "agent_x",
        "conversation_id": external_id,
        "status": "done",
        "transcript": [{"role": "agent", "message": "Good morning.", "time_in_call_secs": 0}],
        "metadata": {"start_time_unix_secs": int(time.time()) - 60, "call_duration_secs": 31, "cost": 90},
        "analysis": {"call_successful": "success", "transcript_summary": "A call."},
    }
    return {"type": "post_call_transcription", "event_timestamp": int(time.time()), "data": {**known, **data}}


def audio(external_id: str, content: bytes) -> dict[str, Any]:
    data = {"agent_id": "agent_x", "conversation_id": external_id, "full_audio": base64.b64encode(content).decode()}
    return {"type": "post_call_audio", "event_timestamp": int(time.time()), "data": data}

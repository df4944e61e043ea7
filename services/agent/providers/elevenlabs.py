"""ElevenLabs: `ElevenLabs-Signature: t=<unix s>,v0=<hex HMAC-SHA256(secret, "<t>.<raw body>")>`; its list of agents.

Source: the official `elevenlabs` SDK (webhooks_custom, conversational_ai.agents.list). Unlike the SDK the comparison is
constant in time and the future is refused as well as the past. HTTP goes through libs.http alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from libs.crypto import constant_time_equal, hmac_sha256_hex
from libs.errors import AppError, ResourceExhausted, Unauthenticated, Unavailable
from libs.http import OutboundClient
from services.agent.domain.integration import Credentials

ADDRESS = "https://api.elevenlabs.io"
TOLERANCE_SECONDS = 30 * 60
PAGE_SIZE = 100
_TIMESTAMP = re.compile(r"t=(\d{1,12})", re.ASCII)
_DIGEST = re.compile(r"v0=([0-9a-fA-F]{64})", re.ASCII)
_HEADER_MAX = 1_000


@dataclass(frozen=True, slots=True)
class RemoteAgent:
    id: str
    name: str
    voice_id: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemotePage:
    """`next_cursor` is empty on the last page."""

    agents: tuple[RemoteAgent, ...]
    next_cursor: str


def verify_signature(credentials: Credentials, header: str, body: bytes, now: datetime) -> bool | None:
    secrets = credentials.webhook_secrets(now)
    if not secrets:
        return None
    parts = [part.strip() for part in header[:_HEADER_MAX].split(",")]
    stamps = [match[1] for part in parts if (match := _TIMESTAMP.fullmatch(part))]
    digests = [match[1].lower() for part in parts if (match := _DIGEST.fullmatch(part))]
    if len(stamps) != 1 or not digests or abs(now.timestamp() - int(stamps[0])) > TOLERANCE_SECONDS:
        return False
    expected = [hmac_sha256_hex(secret.encode(), stamps[0].encode(), b".", body) for secret in secrets]
    # All pairs are compared before the verdict, whichever fits.
    fits = [constant_time_equal(ours, theirs) for ours in expected for theirs in digests]
    return any(fits)


async def list_agents(client: OutboundClient, credentials: Credentials, cursor: str) -> RemotePage:
    """One page of the account's agents. Raises Unauthenticated for a refused key, ResourceExhausted with
    retry_after when asked to slow down, Unavailable for everything that may pass."""
    query = {"page_size": PAGE_SIZE, **({"cursor": cursor} if cursor else {})}
    address = (credentials.base_url or ADDRESS).rstrip("/")
    answer = await client.get(
        f"{address}/v1/convai/agents?{urlencode(query)}", headers={"xi-api-key": credentials.api_key}
    )
    if answer.status_code != 200:
        raise _refusal(answer.status_code, answer.headers.get("retry-after", ""))
    return _page(answer.content)


def _refusal(status: int, retry_after: str) -> AppError:
    if status in (401, 403):
        return Unauthenticated("provider_key_refused", "ElevenLabs refused the API key. Enter a valid one.")
    if status == 429:
        wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 30.0
        return ResourceExhausted("provider_rate_limited", "ElevenLabs asked to slow down.", retry_after=wait)
    return Unavailable("provider_failed", f"ElevenLabs answered {status}.")


def _page(body: bytes) -> RemotePage:
    try:
        page = json.loads(body)
        agents = tuple(_agent(entry) for entry in page["agents"])
        return RemotePage(agents, (page.get("next_cursor") or "") if page["has_more"] else "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable("provider_answer_unreadable", "ElevenLabs answered with something unexpected.") from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    tags = entry.get("tags") or ()
    return RemoteAgent(
        str(entry["agent_id"]), str(entry["name"]), str(entry.get("voice_id") or ""), tuple(map(str, tags))
    )

"""ElevenLabs: `ElevenLabs-Signature: t=<unix s>,v0=<hex HMAC-SHA256(secret, "<t>.<raw body>")>`; its list of agents.

Source: the official `elevenlabs` SDK (webhooks_custom, conversational_ai.agents.list). Unlike the SDK the comparison is
constant in time and the future is refused as well as the past. HTTP goes through libs.http alone.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from libs.crypto import constant_time_equal, hmac_sha256_hex
from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_object, unreadable
from services.agent.domain.integration import Credentials

from .listing import RemoteAgent, RemotePage

NAME = "ElevenLabs"
ADDRESS = "https://api.elevenlabs.io"
TOLERANCE_SECONDS = 30 * 60
PAGE_SIZE = 100
_TIMESTAMP = re.compile(r"t=(\d{1,12})", re.ASCII)
_DIGEST = re.compile(r"v0=([0-9a-fA-F]{64})", re.ASCII)
_HEADER_MAX = 1_000


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
    """One page of the account's agents; errors are RemoteApi's."""
    api = RemoteApi(client, NAME, credentials.base_url or ADDRESS, {"xi-api-key": credentials.api_key})
    page = read_object(await api.get("/v1/convai/agents", {"page_size": PAGE_SIZE, "cursor": cursor}), NAME)
    try:
        agents = tuple(_agent(entry) for entry in page["agents"])
        return RemotePage(agents, (page.get("next_cursor") or "") if page["has_more"] else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(NAME) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    tags = entry.get("tags") or ()
    return RemoteAgent(
        str(entry["agent_id"]), str(entry["name"]), str(entry.get("voice_id") or ""), tuple(map(str, tags))
    )

"""Retell: `X-Retell-Signature: v=<unix ms>,d=<hex HMAC-SHA256(api key, raw body + ms)>`, five minutes both ways; its
list of voice agents.

Source: the official `retell-sdk` (lib/webhook_auth, agent.list). Retell signs with the API key; there is no secret of
its own. HTTP goes through libs.http alone.
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

NAME = "Retell"
ADDRESS = "https://api.retellai.com"
PAGE_SIZE = 100
TOLERANCE_MS = 5 * 60 * 1000
_HEADER = re.compile(r"v=(\d{1,15}),d=([0-9a-fA-F]{64})", re.ASCII)


def verify_signature(credentials: Credentials, header: str, body: bytes, now: datetime) -> bool | None:
    if not credentials.api_key:
        return None
    parts = _HEADER.fullmatch(header.strip())
    if parts is None or abs(now.timestamp() * 1000 - int(parts[1])) > TOLERANCE_MS:
        return False
    expected = hmac_sha256_hex(credentials.api_key.encode(), body, parts[1].encode())
    return constant_time_equal(expected, parts[2].lower())


async def list_agents(client: OutboundClient, credentials: Credentials, cursor: str) -> RemotePage:
    """One page of the account's voice agents; errors are RemoteApi's. The list names no voice."""
    headers = {"authorization": f"Bearer {credentials.api_key}"}
    api = RemoteApi(client, NAME, credentials.base_url or ADDRESS, headers)
    voice = {"filter_criteria": {"channel": {"op": "eq", "type": "string", "value": "voice"}}}
    query = {"limit": PAGE_SIZE, "pagination_key": cursor}
    page = read_object(await api.post("/v2/list-agents", voice, query), NAME)
    try:
        agents = tuple(_agent(entry) for entry in page["items"])
        return RemotePage(agents, str(page.get("pagination_key") or "") if page["has_more"] else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(NAME) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    """Retell's tags name versions ("prod"); they are no words to find an agent by."""
    return RemoteAgent(str(entry["agent_id"]), str(entry.get("agent_name") or ""))

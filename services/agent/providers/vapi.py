"""Vapi's list of assistants.

Source: the official `vapi-server-sdk` (assistants.list). The answer is a bare list, newest first, and names no next
page: the next one is asked for by the time of the last assistant, which comes again and is known by then.
"""

from __future__ import annotations

from typing import Any

from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_json, unreadable
from services.agent.domain.integration import Credentials

from .listing import RemoteAgent, RemotePage

NAME = "Vapi"
ADDRESS = "https://api.vapi.ai"
PAGE_SIZE = 100


async def list_agents(client: OutboundClient, credentials: Credentials, cursor: str) -> RemotePage:
    """One page of the account's assistants; errors are RemoteApi's."""
    headers = {"authorization": f"Bearer {credentials.api_key}"}
    api = RemoteApi(client, NAME, credentials.base_url or ADDRESS, headers)
    listed = read_json(await api.get("/assistant", {"limit": PAGE_SIZE, "createdAtLe": cursor}), NAME)
    try:
        agents = tuple(_agent(entry) for entry in listed)
        more = len(agents) >= PAGE_SIZE
        return RemotePage(agents, min(str(entry["createdAt"]) for entry in listed) if more else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(NAME) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    voice = entry.get("voice") or {}
    return RemoteAgent(str(entry["id"]), str(entry.get("name") or ""), str(voice.get("voiceId") or ""))

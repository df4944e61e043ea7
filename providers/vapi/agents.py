"""Vapi's list of assistants. Source: the official `vapi-server-sdk` (assistants.list)."""

from typing import Any

from libs.http.api import RemoteApi, read_json, unreadable
from providers.interface.agents import RemoteAgent, RemotePage

# Assistants per page of the API.
PAGE_SIZE = 100


async def list_agents(api: RemoteApi, cursor: str) -> RemotePage:
    """The answer is a bare list, newest first, without a next page. The next page is requested by the creation time of
    the last assistant, which is listed again."""
    listed = read_json(await api.get("/assistant", {"limit": PAGE_SIZE, "createdAtLe": cursor}), api.name)
    try:
        agents = tuple(_agent(entry) for entry in listed)
        more = len(agents) >= PAGE_SIZE
        return RemotePage(agents, min(str(entry["createdAt"]) for entry in listed) if more else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(api.name) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    voice = entry.get("voice") or {}
    seconds = entry.get("maxDurationSeconds")
    return RemoteAgent(
        str(entry["id"]),
        str(entry.get("name") or ""),
        str(voice.get("voiceId") or ""),
        max_duration_seconds=int(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e9 else None,
    )

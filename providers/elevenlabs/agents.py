"""ElevenLabs' list of agents. Source: the official `elevenlabs` SDK (conversational_ai.agents.list)."""

from typing import Any

from libs.http.api import RemoteApi, read_object, unreadable
from providers.interface.agents import RemoteAgent, RemotePage

# Agents per page: the API's maximum.
PAGE_SIZE = 100


async def list_agents(api: RemoteApi, cursor: str) -> RemotePage:
    page = read_object(await api.get("/v1/convai/agents", {"page_size": PAGE_SIZE, "cursor": cursor}), api.name)
    try:
        agents = tuple(_agent(entry) for entry in page["agents"])
        return RemotePage(agents, (page.get("next_cursor") or "") if page["has_more"] else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(api.name) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    tags = entry.get("tags") or ()
    return RemoteAgent(
        str(entry["agent_id"]), str(entry["name"]), str(entry.get("voice_id") or ""), tuple(map(str, tags))
    )

"""Retell's list of voice agents. Source: the official `retell-sdk` (agent.list).

Taken: id and name. Ignored: tags, which name versions such as "prod" and are no words to find an agent by. The list
contains no voice.
"""

from libs.http.api import RemoteApi, read_object, unreadable
from providers.interface.agents import RemoteAgent, RemotePage

# Agents per page of the API.
PAGE_SIZE = 100
_VOICE_AGENTS = {"filter_criteria": {"channel": {"op": "eq", "type": "string", "value": "voice"}}}


async def list_agents(api: RemoteApi, cursor: str) -> RemotePage:
    query = {"limit": PAGE_SIZE, "pagination_key": cursor}
    page = read_object(await api.post("/v2/list-agents", _VOICE_AGENTS, query), api.name)
    try:
        listed = page["items"]
        agents = tuple(RemoteAgent(str(entry["agent_id"]), str(entry.get("agent_name") or "")) for entry in listed)
        return RemotePage(agents, str(page.get("pagination_key") or "") if page["has_more"] else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(api.name) from error

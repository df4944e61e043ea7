"""Bland's conversational pathways, which are its agents. Source: docs.bland.ai, "Get All Pathways Information".

The page shows one pathway where the API returns all of them, without paging. Clients have seen a bare list and a list
under `pathways` or `data`, and the id as `id` or `pathway_id`; all of these are read. Taken: id and name. Ignored:
description, nodes and edges. A pathway has no voice of its own.
"""

from typing import Any

from libs.http.api import RemoteApi, read_json, unreadable
from providers.interface.agents import RemoteAgent, RemotePage


async def list_agents(api: RemoteApi, cursor: str) -> RemotePage:
    document = read_json(await api.get("/v1/pathway"), api.name)
    if isinstance(document, dict):
        document = document.get("pathways", document.get("data"))
    if not isinstance(document, list):
        raise unreadable(api.name)
    try:
        return RemotePage(tuple(_agent(entry) for entry in document), "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(api.name) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    return RemoteAgent(str(entry.get("id") or entry["pathway_id"]), str(entry.get("name") or ""))

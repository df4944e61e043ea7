"""Knowledge: entries, their chunks, and search over them."""

from typing import Any

from starlette.responses import Response

from echosenseix.agent.v1 import agent_pb2
from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import Body, NoBody, NoQuery
from gateway.schemas.agents import Dependent, DependentQuery, dependent_from_proto
from gateway.schemas.knowledge import (
    MODES,
    PATCHED,
    AnswerContext,
    AnswerContextBody,
    Chunk,
    ChunkQuery,
    DeleteEntryQuery,
    Entry,
    EntryBody,
    EntryPatch,
    EntryQuery,
    EntryRow,
    NewEntry,
    SearchAnswer,
    SearchBody,
    Stats,
    answer_context_from_proto,
    chunk_from_proto,
    entry_from_proto,
    entry_row_from_proto,
    filters_to_proto,
    new_entry_from_proto,
    search_answer_from_proto,
    stats_from_proto,
)
from gateway.state import ApiRequest
from libs.cache.classes import ENTRY, ENTRY_LIST, KNOWLEDGE_QUERY
from libs.errors import FailedPrecondition, Violation

# Seconds. A search may wait for the embedding model of a process that has just started.
_SEARCH_SECONDS = 5.0


async def list_entries(request: ApiRequest[EntryQuery, NoBody]) -> Response:
    message = pb.ListEntriesRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.knowledge.ListEntries(message)
    return lists.page_response(request, answer.entries, answer.page_info, entry_row_from_proto)


async def get_entry(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.knowledge.GetEntry(pb.GetEntryRequest(id=request.id))
    return responses.current(request, entry_from_proto(answer.entry), answer.entry.version)


async def create_entry(request: ApiRequest[NoQuery, EntryBody]) -> Response:
    message = pb.CreateEntryRequest()
    apply_patch(request.data, message.entry, PATCHED)
    answer = await request.app.clients.knowledge.CreateEntry(message)
    location = f"/api/knowledge-base/entries/{answer.entry.id}"
    return responses.created(new_entry_from_proto(answer), location, answer.entry.version)


async def update_entry(request: ApiRequest[NoQuery, Body]) -> Response:
    message = pb.UpdateEntryRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.entry, PATCHED))
    message.entry.id = request.id
    if not message.update_mask.paths:
        conditional.require_version(request, await entry_version(request))
        return await get_entry(request)
    answer = await request.app.clients.knowledge.UpdateEntry(message)
    return responses.current(request, entry_from_proto(answer.entry), answer.entry.version)


async def delete_entry(request: ApiRequest[DeleteEntryQuery, NoBody]) -> Response:
    if request.query.if_unused:
        await _require_unused(request)
    await request.app.clients.knowledge.DeleteEntry(
        pb.DeleteEntryRequest(id=request.id, expected_version=conditional.expected_version(request))
    )
    return responses.no_content()


async def _require_unused(request: ApiRequest[Any, Any]) -> None:
    """An agent that takes the entry between this and the deletion is not noticed: it then names an entry that is gone,
    which an agent may do."""
    await entry_version(request)
    asked = agent_pb2.ListDependentsRequest(knowledge_entry_id=request.id)
    answer = await request.app.clients.agents.ListDependents(asked)
    if answer.dependents:
        raise FailedPrecondition(
            "entry_in_use",
            "Agents speak from this entry. Take it from them first, or delete it without ifUnused.",
            violations=[
                Violation(f"/api/agents/{one.agent_id}", "uses_entry", one.display_name) for one in answer.dependents
            ],
        )


async def list_chunks(request: ApiRequest[ChunkQuery, NoBody]) -> Response:
    answer = await request.app.clients.knowledge.ListChunks(
        pb.ListChunksRequest(entry_id=request.id, page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.chunks, answer.page_info, chunk_from_proto)


async def list_dependents(request: ApiRequest[DependentQuery, NoBody]) -> Response:
    await entry_version(request)  # 404 for an unknown entry, where the list alone would be empty
    answer = await request.app.clients.agents.ListDependents(
        agent_pb2.ListDependentsRequest(knowledge_entry_id=request.id, page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.dependents, answer.page_info, dependent_from_proto)


async def search(request: ApiRequest[NoQuery, SearchBody]) -> Response:
    body = request.data
    answer = await request.app.clients.knowledge.Search(
        pb.SearchRequest(
            query=body.query,
            mode=MODES[body.mode] if body.mode else pb.SEARCH_MODE_UNSPECIFIED,
            max_results=body.max_results or 0,
            filters=filters_to_proto(body.filters),
        )
    )
    return responses.ok(search_answer_from_proto(answer))


async def answer_context(request: ApiRequest[NoQuery, AnswerContextBody]) -> Response:
    body = request.data
    answer = await request.app.clients.knowledge.AnswerContext(
        pb.AnswerContextRequest(
            query=body.query,
            mode=MODES[body.mode] if body.mode else pb.SEARCH_MODE_UNSPECIFIED,
            max_tokens=body.max_tokens or 0,
            filters=filters_to_proto(body.filters),
        )
    )
    return responses.ok(answer_context_from_proto(answer))


async def get_stats(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return responses.ok(stats_from_proto(await request.app.clients.knowledge.GetStats(pb.GetStatsRequest())))


async def entry_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.knowledge.GetEntry(pb.GetEntryRequest(id=request.id))
    return answer.entry.version


_ENTRY = {"title": "Opening hours", "content": "We are open from 8 to 18.", "category": "shop", "tags": ["hours"]}
_SEARCH = {"query": "When do you open?", "mode": "hybrid", "maxResults": 5, "filters": {"category": "shop"}}
_CONTEXT = {"query": "When do you open?", "maxTokens": 600, "filters": {"category": "shop"}}

ROUTES = tagged(
    "Knowledge",
    Route(
        "GET",
        "/api/knowledge-base/entries",
        list_entries,
        "List entries",
        scope="knowledge:read",
        cached=ENTRY_LIST,
        query=EntryQuery,
        answer=list[EntryRow],
    ),
    Route(
        "POST",
        "/api/knowledge-base/entries",
        create_entry,
        "Create a text entry",
        scope="knowledge:write",
        body=EntryBody,
        example=_ENTRY,
        answer=NewEntry,
        status=201,
        etag="match",
    ),
    Route(
        "GET",
        "/api/knowledge-base/entries/{id}",
        get_entry,
        "Read an entry",
        scope="knowledge:read",
        cached=ENTRY,
        answer=Entry,
        etag="match",
    ),
    Route(
        "PATCH",
        "/api/knowledge-base/entries/{id}",
        update_entry,
        "Change an entry",
        scope="knowledge:write",
        body=EntryPatch,
        body_kind="merge_patch",
        example={"category": None, "tags": ["hours"]},
        answer=Entry,
        subject=entry_version,
        etag="match",
        cached=ENTRY,
    ),
    Route(
        "DELETE",
        "/api/knowledge-base/entries/{id}",
        delete_entry,
        "Delete an entry and its document",
        scope="knowledge:write",
        query=DeleteEntryQuery,
        status=204,
        subject=entry_version,
    ),
    Route(
        "GET",
        "/api/knowledge-base/entries/{id}/chunks",
        list_chunks,
        "List an entry's chunks",
        scope="knowledge:read",
        cached=ENTRY,
        query=ChunkQuery,
        answer=list[Chunk],
    ),
    Route(
        "GET",
        "/api/knowledge-base/entries/{id}/dependents",
        list_dependents,
        "List the agents that speak from an entry",
        scope="knowledge:read",
        query=DependentQuery,
        answer=list[Dependent],
    ),
    Route(
        "POST",
        "/api/knowledge-base/search",
        search,
        "Search",
        scope="knowledge:read",
        cached=KNOWLEDGE_QUERY,
        body=SearchBody,
        example=_SEARCH,
        answer=SearchAnswer,
        keyed=False,
        seconds=_SEARCH_SECONDS,
        problems=(501,),
    ),
    Route(
        "POST",
        "/api/knowledge-base/answer-context",
        answer_context,
        "Passages for an answer, within a budget of tokens",
        scope="knowledge:read",
        cached=KNOWLEDGE_QUERY,
        body=AnswerContextBody,
        example=_CONTEXT,
        answer=AnswerContext,
        seconds=_SEARCH_SECONDS,
        problems=(501,),
        keyed=False,
    ),
    Route(
        "GET",
        "/api/knowledge-base/stats",
        get_stats,
        "How much there is",
        scope="knowledge:read",
        cached=ENTRY_LIST,
        answer=Stats,
    ),
)

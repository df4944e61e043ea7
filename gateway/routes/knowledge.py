"""Knowledge: entries, their chunks, and search over them."""

from typing import Any

from starlette.responses import Response

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http.merge_patch import apply_patch
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import ListQuery, NoBody, NoQuery
from gateway.schemas.knowledge import (
    MODES,
    PATCHED,
    STATUSES,
    Chunk,
    Entry,
    EntryBody,
    EntryPatch,
    EntryQuery,
    EntryRow,
    NewEntry,
    SearchAnswer,
    SearchBody,
    Stats,
    chunk_from_proto,
    entry_from_proto,
    entry_row_from_proto,
    new_entry_from_proto,
    search_answer_from_proto,
    stats_from_proto,
)

_SEARCH_SECONDS = 5.0


async def list_entries(call: Call[EntryQuery, NoBody]) -> Response:
    query = call.query
    answer = await call.clients.knowledge.ListEntries(
        pb.ListEntriesRequest(
            page=call.page_request(),
            search=query.search or "",
            category=query.category or "",
            tags=call.words(query.tags),
            status=STATUSES[query.status] if query.status else pb.DOCUMENT_STATUS_UNSPECIFIED,
        )
    )
    return call.page(answer.entries, answer.page_info, entry_row_from_proto)


async def get_entry(call: Call[NoQuery, Any]) -> Response:
    answer = await call.clients.knowledge.GetEntry(pb.GetEntryRequest(id=call.id))
    return call.resource(entry_from_proto(answer.entry), answer.entry.version)


async def create_entry(call: Call[NoQuery, EntryBody]) -> Response:
    request = pb.CreateEntryRequest()
    apply_patch(call.body, request.entry, PATCHED)
    answer = await call.clients.knowledge.CreateEntry(request)
    location = f"/api/knowledge-base/entries/{answer.entry.id}"
    return call.created(new_entry_from_proto(answer), location, answer.entry.version)


async def update_entry(call: Call[NoQuery, EntryPatch]) -> Response:
    request = pb.UpdateEntryRequest(expected_version=call.expected_version)
    request.update_mask.CopyFrom(apply_patch(call.body, request.entry, PATCHED))
    request.entry.id = call.id
    if not request.update_mask.paths:
        call.require_version(await entry_version(call))
        return await get_entry(call)
    answer = await call.clients.knowledge.UpdateEntry(request)
    return call.resource(entry_from_proto(answer.entry), answer.entry.version)


async def delete_entry(call: Call[NoQuery, NoBody]) -> Response:
    await call.clients.knowledge.DeleteEntry(pb.DeleteEntryRequest(id=call.id, expected_version=call.expected_version))
    return call.no_content()


async def list_chunks(call: Call[ListQuery, NoBody]) -> Response:
    answer = await call.clients.knowledge.ListChunks(pb.ListChunksRequest(entry_id=call.id, page=call.page_request()))
    return call.page(answer.chunks, answer.page_info, chunk_from_proto)


async def search(call: Call[NoQuery, SearchBody]) -> Response:
    body, filters = call.body, pb.SearchFilters()
    if body.filters is not None:
        filters.category = body.filters.category or ""
        filters.tags.extend(body.filters.tags or ())
        filters.entry_ids.extend(body.filters.entry_ids or ())
    answer = await call.clients.knowledge.Search(
        pb.SearchRequest(
            query=body.query,
            mode=MODES[body.mode] if body.mode else pb.SEARCH_MODE_UNSPECIFIED,
            max_results=body.max_results or 0,
            filters=filters,
        )
    )
    return call.ok(search_answer_from_proto(answer))


async def get_stats(call: Call[NoQuery, NoBody]) -> Response:
    return call.ok(stats_from_proto(await call.clients.knowledge.GetStats(pb.GetStatsRequest())))


async def entry_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.knowledge.GetEntry(pb.GetEntryRequest(id=call.id))
    return answer.entry.version


_ENTRY = {"title": "Opening hours", "content": "We are open from 8 to 18.", "category": "shop", "tags": ["hours"]}
_SEARCH = {"query": "When do you open?", "mode": "hybrid", "maxResults": 5, "filters": {"category": "shop"}}

ROUTES = tagged(
    "Knowledge",
    Route(
        "GET",
        "/api/knowledge-base/entries",
        list_entries,
        "List entries",
        scope="knowledge:read",
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
        problems=(409,),
    ),
    Route("GET", "/api/knowledge-base/entries/{id}", get_entry, "Read an entry", scope="knowledge:read", answer=Entry),
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
        problems=(409,),
    ),
    Route(
        "DELETE",
        "/api/knowledge-base/entries/{id}",
        delete_entry,
        "Delete an entry and its document",
        scope="knowledge:write",
        status=204,
        subject=entry_version,
    ),
    Route(
        "GET",
        "/api/knowledge-base/entries/{id}/chunks",
        list_chunks,
        "List an entry's chunks",
        scope="knowledge:read",
        query=ListQuery,
        answer=list[Chunk],
    ),
    Route(
        "POST",
        "/api/knowledge-base/search",
        search,
        "Search",
        scope="knowledge:read",
        body=SearchBody,
        example=_SEARCH,
        answer=SearchAnswer,
        seconds=_SEARCH_SECONDS,
        problems=(501,),
    ),
    Route("GET", "/api/knowledge-base/stats", get_stats, "How much there is", scope="knowledge:read", answer=Stats),
)

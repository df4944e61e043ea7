"""Sources of knowledge: addresses on the web that entries follow."""

from typing import Any

from starlette.responses import Response

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import Body, NoBody, NoQuery
from gateway.schemas.sources import (
    KINDS,
    PATCHED,
    NewSource,
    Source,
    SourceBody,
    SourcePatch,
    SourceQuery,
    SourceRefresh,
    new_source_from_proto,
    source_from_proto,
)
from gateway.state import ApiRequest


async def list_sources(request: ApiRequest[SourceQuery, NoBody]) -> Response:
    message = pb.ListSourcesRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.sources.ListSources(message)
    return lists.page_response(request, answer.sources, answer.page_info, source_from_proto)


async def get_source(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.sources.GetSource(pb.GetSourceRequest(id=request.id))
    return responses.current(request, source_from_proto(answer.source), answer.source.version)


async def create_source(request: ApiRequest[NoQuery, SourceBody]) -> Response:
    body = request.data
    message = pb.CreateSourceRequest()
    apply_patch(body, message.source, PATCHED)
    message.source.url = body.url
    # Set apart from the patch, because a source's address and kind never change.
    message.source.kind = KINDS[body.kind or "url"]
    answer = await request.app.clients.sources.CreateSource(message)
    location = f"/api/knowledge-base/sources/{answer.source.id}"
    return responses.created(new_source_from_proto(answer), location, answer.source.version)


async def update_source(request: ApiRequest[NoQuery, Body]) -> Response:
    message = pb.UpdateSourceRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.source, PATCHED))
    message.source.id = request.id
    if not message.update_mask.paths:
        conditional.require_version(request, await source_version(request))
        return await get_source(request)
    answer = await request.app.clients.sources.UpdateSource(message)
    return responses.current(request, source_from_proto(answer.source), answer.source.version)


async def delete_source(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.sources.DeleteSource(
        pb.DeleteSourceRequest(id=request.id, expected_version=conditional.expected_version(request))
    )
    return responses.no_content()


async def refresh_source(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.sources.RefreshSource(pb.RefreshSourceRequest(id=request.id))
    return responses.accepted(SourceRefresh(job_id=answer.job_id), f"/api/jobs/{answer.job_id}")


async def source_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.sources.GetSource(pb.GetSourceRequest(id=request.id))
    return answer.source.version


_SOURCE = {"url": "https://example.com/help", "refreshIntervalSeconds": 86400, "category": "help", "tags": ["web"]}

ROUTES = tagged(
    "Knowledge",
    Route(
        "GET",
        "/api/knowledge-base/sources",
        list_sources,
        "List sources",
        scope="knowledge:read",
        query=SourceQuery,
        answer=list[Source],
    ),
    Route(
        "POST",
        "/api/knowledge-base/sources",
        create_source,
        "Follow an address: a page, or the pages of a sitemap",
        scope="knowledge:write",
        body=SourceBody,
        example=_SOURCE,
        answer=NewSource,
        status=201,
        problems=(409,),
        etag="match",
    ),
    Route(
        "GET",
        "/api/knowledge-base/sources/{id}",
        get_source,
        "Read a source",
        scope="knowledge:read",
        answer=Source,
        etag="match",
    ),
    Route(
        "PATCH",
        "/api/knowledge-base/sources/{id}",
        update_source,
        "Change a source",
        scope="knowledge:write",
        body=SourcePatch,
        body_kind="merge_patch",
        example={"refreshIntervalSeconds": 3600, "category": None},
        answer=Source,
        subject=source_version,
        problems=(409,),
        etag="match",
    ),
    Route(
        "DELETE",
        "/api/knowledge-base/sources/{id}",
        delete_source,
        "Delete a source and the entries of its pages",
        scope="knowledge:write",
        status=204,
        subject=source_version,
    ),
    Route(
        "POST",
        "/api/knowledge-base/sources/{id}/refresh",
        refresh_source,
        "Read a source again now",
        scope="knowledge:write",
        answer=SourceRefresh,
        status=202,
        subject=source_version,
    ),
)

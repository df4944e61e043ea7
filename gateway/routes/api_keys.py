"""API keys. The secret is shown once, when it is created."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import set_time
from gateway.schemas.accounts import (
    ApiKey,
    ApiKeyBody,
    ApiKeyQuery,
    FreshApiKey,
    RotateBody,
    api_key_from_proto,
    fresh_api_key_from_proto,
)
from gateway.state import ApiRequest


async def create_api_key(request: ApiRequest[NoQuery, ApiKeyBody]) -> Response:
    message = pb.CreateApiKeyRequest(
        name=request.data.name, scopes=request.data.scopes, allowed_addresses=request.data.allowed_addresses
    )
    set_time(message.expire_time, request.data.expires_at)
    answer = await request.app.clients.identity.CreateApiKey(message)
    key = fresh_api_key_from_proto(answer.api_key, answer.secret)
    return responses.created(key, f"/api/api-keys/{key.id}", answer.api_key.version)


async def list_api_keys(request: ApiRequest[ApiKeyQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.ListApiKeys(
        pb.ListApiKeysRequest(
            page=lists.page_request(request.query), include_revoked=bool(request.query.include_revoked)
        )
    )
    return lists.page_response(request, answer.api_keys, answer.page_info, api_key_from_proto)


async def get_api_key(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.GetApiKey(pb.GetApiKeyRequest(id=request.id))
    return responses.current(request, api_key_from_proto(answer.api_key), answer.api_key.version)


async def revoke_api_key(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.identity.RevokeApiKey(
        pb.RevokeApiKeyRequest(
            id=request.id,
            expected_version=conditional.expected_version(request),
        )
    )
    request.app.principals.forget(request.id)
    return responses.no_content()


async def rotate_api_key(request: ApiRequest[NoQuery, RotateBody]) -> Response:
    answer = await request.app.clients.identity.RotateApiKey(
        pb.RotateApiKeyRequest(
            id=request.id,
            overlap_seconds=request.data.overlap_seconds,
            expected_version=conditional.expected_version(request),
        )
    )
    request.app.principals.forget(request.id)
    return responses.ok(fresh_api_key_from_proto(answer.api_key, answer.secret))


async def api_key_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.identity.GetApiKey(pb.GetApiKeyRequest(id=request.id))
    return answer.api_key.version


ROUTES = tagged(
    "API keys",
    Route(
        "POST",
        "/api/api-keys",
        create_api_key,
        "Create an API key",
        scope="members:write",
        body=ApiKeyBody,
        example={"name": "dialer", "scopes": ["agents:read", "calls:read"]},
        answer=FreshApiKey,
        status=201,
        secret=True,
        etag="match",
    ),
    Route(
        "GET",
        "/api/api-keys",
        list_api_keys,
        "List API keys",
        scope="members:read",
        query=ApiKeyQuery,
        answer=list[ApiKey],
    ),
    Route(
        "GET", "/api/api-keys/{id}", get_api_key, "Read an API key", scope="members:read", answer=ApiKey, etag="match"
    ),
    Route(
        "DELETE",
        "/api/api-keys/{id}",
        revoke_api_key,
        "Revoke an API key",
        scope="members:write",
        status=204,
        subject=api_key_version,
    ),
    Route(
        "POST",
        "/api/api-keys/{id}/rotate",
        rotate_api_key,
        "Replace the secret of an API key",
        scope="members:write",
        body=RotateBody,
        example={"overlapSeconds": 3600},
        answer=FreshApiKey,
        secret=True,
        subject=api_key_version,
    ),
)

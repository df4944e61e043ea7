"""API keys: their secret is answered once, when it is made."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http.request import Call
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


async def create_api_key(call: Call[NoQuery, ApiKeyBody]) -> Response:
    request = pb.CreateApiKeyRequest(name=call.body.name, scopes=call.body.scopes)
    set_time(request.expire_time, call.body.expires_at)
    answer = await call.clients.identity.CreateApiKey(request)
    key = fresh_api_key_from_proto(answer.api_key, answer.secret)
    return call.created(key, f"/api/api-keys/{key.id}", answer.api_key.version)


async def list_api_keys(call: Call[ApiKeyQuery, NoBody]) -> Response:
    answer = await call.clients.identity.ListApiKeys(
        pb.ListApiKeysRequest(page=call.page_request(), include_revoked=bool(call.query.include_revoked))
    )
    return call.page(answer.api_keys, answer.page_info, api_key_from_proto)


async def get_api_key(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.identity.GetApiKey(pb.GetApiKeyRequest(id=call.id))
    return call.current(api_key_from_proto(answer.api_key), answer.api_key.version)


async def revoke_api_key(call: Call[NoQuery, NoBody]) -> Response:
    await call.clients.identity.RevokeApiKey(pb.RevokeApiKeyRequest(id=call.id))
    call.forget(call.id)
    return call.no_content()


async def rotate_api_key(call: Call[NoQuery, RotateBody]) -> Response:
    answer = await call.clients.identity.RotateApiKey(
        pb.RotateApiKeyRequest(id=call.id, overlap_seconds=call.body.overlap_seconds)
    )
    call.forget(call.id)
    return call.ok(fresh_api_key_from_proto(answer.api_key, answer.secret))


async def api_key_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.identity.GetApiKey(pb.GetApiKeyRequest(id=call.id))
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
        example={"name": "dialler", "scopes": ["agents:read", "calls:read"]},
        answer=FreshApiKey,
        status=201,
        secret=True,
        problems=(409,),
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
    Route("GET", "/api/api-keys/{id}", get_api_key, "Read an API key", scope="members:read", answer=ApiKey),
    Route("DELETE", "/api/api-keys/{id}", revoke_api_key, "Revoke an API key", scope="members:write", status=204),
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
        problems=(409,),
    ),
)

"""From a matched route to its response: query, body, deadline, idempotency key; the handler; the order of refusals.

The innermost layer. It says which requests may be repeated; libs.rpc.channel repeats them. It must not know a resource.
"""

import asyncio
import contextlib
import time
from collections.abc import Set
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.conditional import demanded_version, entity_tag, require_version
from gateway.http.idempotency import Fingerprints, idempotency_key
from gateway.http.json_body import JSON_LIMIT, decode_json, require_json
from gateway.http.problems import refusal_of
from gateway.http.query import read_query
from gateway.http.request import Request, request_of
from gateway.http.responses import NO_STORE
from gateway.http.routing import Route, match_of
from gateway.http.schema import NoBody
from libs.context import REPLAYED_HEADER, Audited
from libs.errors import AppError, DeadlineExceeded, InvalidArgument, PermissionDenied
from libs.ids import new_id
from libs.rpc.context import CallContext, acting_as, response_headers, serving
from libs.rpc.principal import ROLE_GATEWAY, Principal
from libs.telemetry import current_traceparent

_KEYED_METHODS = frozenset(("POST", "PATCH", "PUT", "DELETE"))
_BODY_METHODS = frozenset(("POST", "PATCH", "PUT"))
# Parameters of a path that name what is written; the first in the path counts.
_TARGETS = frozenset(("id", "provider", "queue"))
_NO_BODY = NoBody()
_ANONYMOUS = Principal(role=ROLE_GATEWAY, issuer="gateway")

# 404 and 412 are answered before 422, although they are found after it.
_LAST = 422


class Endpoint:
    """The application inside the layers. `server_set` names body fields that only the server sets."""

    def __init__(self, fingerprints: Fingerprints, server_set: Set[str]) -> None:
        self._fingerprints = fingerprints
        self._server_set = server_set

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        route = match_of(request).route
        if route is None:
            raise AssertionError("authorization lets only routes through")
        context = _context(request, route)
        with serving(context), acting_as(request.principal_or_none or _ANONYMOUS):
            request.parameters, request.query = read_query(scope["query_string"], route.query)
            response = await self._answer(request, route, context)
            if route.secret:
                request.secret = True
                response.headers["cache-control"] = NO_STORE
            await response(scope, receive, send)

    async def _answer(self, request: Request[Any, Any, Any], route: Route[Any, Any], context: CallContext) -> Response:
        """Read the body in a time of its own, then answer within the route's budget. Only the latter holds a place."""
        body = b""
        if route.method in _BODY_METHODS and route.body_kind not in ("multipart", "stream"):
            body = await request.read_body(route.body_limit or JSON_LIMIT)
        request.place.work()
        if context.idempotency_key:
            context.idempotency_fingerprint = self._fingerprints.of(route.method, request.path, body)
        kind = (route.method, route.path)
        context.deadline = time.monotonic() + route.budget
        try:
            async with asyncio.timeout(route.budget):
                response = await self._in_order(request, route, body)
        except TimeoutError:
            late = DeadlineExceeded("deadline_exceeded", "The request took too long. Try again.")
            request.place.answer(kind, late)
            raise late from None
        except AppError as error:
            request.place.answer(kind, error)
            raise
        request.place.answer(kind)
        if REPLAYED_HEADER in response_headers():
            response.headers["idempotency-replayed"] = "true"
        return response

    async def _in_order(self, request: Request[Any, Any, Any], route: Route[Any, Any], body: bytes) -> Response:
        """404 and 412 come before 422, so a refusal by 422 first looks whether the resource exists at all."""
        try:
            await _settle_condition(request, route)
            request.data = self._decoded(request, route, body)
            return await route.handler(request)
        except InvalidArgument as refusal:
            if route.subject is not None and refusal_of(refusal).status == _LAST:
                # A caller who may write but not read still gets the 422.
                with contextlib.suppress(PermissionDenied):
                    require_version(request, await route.subject(request))
            raise

    def _decoded(self, request: Request[Any, Any, Any], route: Route[Any, Any], body: bytes) -> Any:
        if route.method not in _BODY_METHODS or route.body_kind in ("multipart", "raw", "stream"):
            return _NO_BODY
        if not body and not route.body_required:
            return decode_json(b"{}", route.body, self._server_set)
        media_type = require_json(request, route.media_types)
        return decode_json(body, route.media_types[media_type], self._server_set)


async def _settle_condition(request: Request[Any, Any, Any], route: Route[Any, Any]) -> None:
    """Refuse a write to another version than If-Match names. Services that take an expected version check again in the
    write's transaction; they take one, so of several tags the current one is passed on."""
    if request.header("if-match").strip() not in ("", "*") and route.subject is not None and not route.reads:
        version = await route.subject(request)
        require_version(request, version)
        request.replace_header("if-match", entity_tag(version))


def _context(request: Request[Any, Any, Any], route: Route[Any, Any]) -> CallContext:
    key = idempotency_key(request) if route.method in _KEYED_METHODS else ""
    min_version = demanded_version(request)
    return CallContext(
        request_id=request.request_id,
        idempotency_key=key,
        repeatable=route.reads or route.repeatable or bool(key),
        traceparent=current_traceparent(),
        may_lag=route.reads and not min_version and not request.fills_cache,
        min_version=min_version,
        audited=_audited(request, route) if route.audited else None,
    )


def _audited(request: Request[Any, Any, Any], route: Route[Any, Any]) -> Audited:
    ids = [value for name, value in request.path_params.items() if name in _TARGETS]
    return Audited(new_id("aud"), route.handler.__name__, ids[0] if ids else "", request.client_address)

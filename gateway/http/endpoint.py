"""From a matched route to its answer: query, body, deadline, idempotency key; the handler; the order of refusals.

The innermost layer. Says which requests may be repeated; libs.rpc.channel does it. It must not know a resource.
"""

import asyncio
import contextlib
import re
import time
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.edge import Edge
from gateway.http.client_address import client_address
from gateway.http.conditional import entity_tag
from gateway.http.exchange import Exchange, exchange_of
from gateway.http.json_body import JSON_LIMIT, decode_json, read_body, require_json
from gateway.http.problems import refusal_of
from gateway.http.query import decode_query, parse_query
from gateway.http.request import Call
from gateway.http.responses import NO_STORE
from gateway.http.routing import Route
from gateway.http.schema import NoBody
from libs.errors import DeadlineExceeded, InvalidArgument, PermissionDenied
from libs.rpc.context import CallContext, acting_as, response_headers, serving
from libs.rpc.principal import ROLE_GATEWAY, Principal
from libs.telemetry import current_traceparent

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEYED_METHODS = frozenset(("POST", "PATCH", "PUT", "DELETE"))
_BODY_METHODS = frozenset(("POST", "PATCH", "PUT"))
_NO_BODY = NoBody()
_NOBODY = Principal(role=ROLE_GATEWAY, issuer="gateway")

# In the order of refusals 404 and 412 come before this status, though they are found out after it.
_LAST = 422


class Endpoint:
    """The application inside the middlewares."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if exchange.match is None or exchange.match.route is None:
            raise AssertionError("authorization lets only routes through")
        route = exchange.match.route
        context = _context(exchange, route)
        with serving(context), acting_as(exchange.principal or _NOBODY):
            response = await self._answer(self._call(scope, receive, exchange), route, context)
            if route.secret:
                exchange.secret = True
                response.headers["cache-control"] = NO_STORE
            await response(scope, receive, send)

    def _call(self, scope: Scope, receive: Receive, exchange: Exchange) -> Call[Any, Any]:
        match, asked = exchange.match, parse_query(scope["query_string"])
        if match is None or match.route is None:
            raise AssertionError("authorization lets only routes through")
        return Call(
            method=scope["method"],
            path=scope["path"],
            params=match.params,
            asked=asked,
            query=decode_query(asked, match.route.query),
            exchange=exchange,
            receive=receive,
            client_address=client_address(
                scope, exchange.header(b"x-forwarded-for"), self._edge.settings.trusted_proxies
            ),
            edge=self._edge,
        )

    async def _answer(self, call: Call[Any, Any], route: Route[Any, Any], context: CallContext) -> Response:
        """Read the body in its own time, then answer within the route's budget."""
        if route.method in _BODY_METHODS and route.body_kind != "multipart":
            call.raw = await read_body(call.receive, call.exchange, route.body_limit or JSON_LIMIT)
        if context.idempotency_key:
            context.idempotency_fingerprint = self._edge.fingerprints.of(route.method, call.path, call.raw)
        context.deadline = time.monotonic() + route.budget
        try:
            async with asyncio.timeout(route.budget):
                response = await self._in_order(call, route)
        except TimeoutError:
            raise DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again.") from None
        if response_headers().get("x-idempotency-replayed"):
            response.headers["idempotency-replayed"] = "true"
        return response

    async def _in_order(self, call: Call[Any, Any], route: Route[Any, Any]) -> Response:
        """404 and 412 come before 422, so a request that breaks a rule is asked whether it names a thing at all."""
        try:
            await _settle_condition(call, route)
            call.body = _decoded(call, route)
            return await route.handler(call)
        except InvalidArgument as refusal:
            if route.subject is not None and refusal_of(refusal).status == _LAST:
                # Who may write but not read is told what to mend.
                with contextlib.suppress(PermissionDenied):
                    call.require_version(await route.subject(call))
            raise


async def _settle_condition(call: Call[Any, Any], route: Route[Any, Any]) -> None:
    """Of several tags in If-Match a service can be told one: the one that is current."""
    condition = call.exchange.headers.get(b"if-match", b"")
    if b"," in condition and route.subject is not None and not route.reads:
        version = await route.subject(call)
        call.require_version(version)
        call.exchange.headers[b"if-match"] = entity_tag(version).encode()


def _decoded(call: Call[Any, Any], route: Route[Any, Any]) -> Any:
    if route.method not in _BODY_METHODS or route.body_kind in ("multipart", "raw"):
        return _NO_BODY
    if not call.raw and route.body_kind == "json":
        return decode_json(b"{}", route.body)
    require_json(call.exchange, route.body_kind)
    return decode_json(call.raw, route.body)


def _context(exchange: Exchange, route: Route[Any, Any]) -> CallContext:
    key = _idempotency_key(exchange) if route.method in _KEYED_METHODS else ""
    return CallContext(
        request_id=exchange.request_id,
        idempotency_key=key,
        repeatable=route.reads or route.repeatable or bool(key),
        traceparent=current_traceparent(),
        min_version=_min_version(exchange),
    )


def _idempotency_key(exchange: Exchange) -> str:
    key = exchange.header(b"idempotency-key")
    if b"idempotency-key" in exchange.headers and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidArgument("invalid_idempotency_key", "Send 1 to 255 visible ASCII characters as Idempotency-Key.")
    return key


def _min_version(exchange: Exchange) -> int:
    text = exchange.header(b"x-min-version").strip('"')
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidArgument("invalid_header", "Send a version number as X-Min-Version.")
    return int(text or 0)

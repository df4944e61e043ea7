"""The one server interceptor: what happens around a servicer's method, in order.

A legible request, the principal, the call's context, its span, the method, errors to a status, metrics. One try block
for each shape of method instead of a chain of interceptors, each of which would be another coroutine a call.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from libs.errors import AppError, InvalidArgument
from libs.rpc.inbound import Call, Gate, Places
from libs.telemetry.traces import span, use_traceparent

__all__ = ["CallInterceptor", "Gate"]

# Seconds for the rest of a refused request. Shorter: the caller of a large upload learns less often why it was refused.
_DRAIN_SECONDS = 30.0
_OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.")

# Operators ask it most when a service has too much to do.
_STATUS_SERVICE = "/echosenseix.common.v1.StatusService/"

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Method = Callable[[Any, Any], Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method once, on its first call; afterwards a call costs one dictionary look-up here."""

    def __init__(self, gate: Gate, places: Places) -> None:
        self._gate = gate
        self._places = places
        self._wrapped: dict[str, _Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(_OPEN_SERVICES):
            return handler
        wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> _Handler:
        inner, kind = _behavior(handler)
        streams = handler.response_streaming
        if handler.request_streaming and not streams:
            inner = _hearing_out(inner)
        elif not streams and not method.startswith(_STATUS_SERVICE):
            inner = _holding_place(inner, self._places)
        inner = _checking_each(inner) if handler.request_streaming else _checking(inner)
        behavior = _streaming(method, inner, self._gate) if streams else _unary(method, inner, self._gate)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped: _Handler = make(
            behavior,
            request_deserializer=_forgiving(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return wrapped


def _behavior(handler: Any) -> tuple[Method, str]:
    left = "stream" if handler.request_streaming else "unary"
    right = "stream" if handler.response_streaming else "unary"
    return getattr(handler, f"{left}_{right}"), f"{left}_{right}"


# What a request that cannot be read becomes on its way from grpc, which would answer it with INTERNAL, to the method.
_GARBLED = object()


def _forgiving(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(raw: bytes) -> Any:
        try:
            return deserialize(raw)
        except DecodeError:
            return _GARBLED

    return read


def _legible(request: Any) -> Any:
    if request is _GARBLED:
        raise InvalidArgument("malformed_message", "Send a message of this method's type.")
    return request


def _checking(inner: Method) -> Method:
    return lambda request, context: inner(_legible(request), context)


def _checking_each(inner: Method) -> Method:
    async def legible(requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield _legible(request)

    return lambda requests, context: inner(legible(requests), context)


def _holding_place(inner: Method, places: Places) -> Method:
    """Streams hold none: they last as long as their caller sends or reads, and wait for it."""

    async def answer(request: Any, context: Any) -> Any:
        places.enter()
        try:
            return await inner(request, context)
        finally:
            places.leave()

    return answer


def _hearing_out(inner: Method) -> Method:
    """A refusal waits until the caller has sent what it will send. grpc.aio's client loses the status of a call that
    ends while it writes: it sees INTERNAL (`Internal error from Core`) instead."""

    async def answer(requests: Any, context: Any) -> Any:
        try:
            return await inner(requests, context)
        except AppError:
            await _drain(requests)
            raise

    return answer


async def _drain(requests: Any) -> None:
    """Read the rest and throw it away, for a while: then the refusal goes out over the caller's writing."""
    with suppress(Exception):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in requests:
                pass


def _unary(method: str, inner: Method, gate: Gate) -> Method:
    async def serve(request: Any, context: Any) -> Any:
        call = Call(method, context)
        try:
            gate.enter(call)
            with use_traceparent(call.context.traceparent), span(method, kind="server"):
                response = await inner(request, context)
            call.send_headers()
        except asyncio.CancelledError:
            call.observe("CANCELLED")
            raise
        except Exception as error:
            await call.fail(error)
        call.observe("OK")
        return response

    return serve


def _streaming(method: str, inner: Method, gate: Gate) -> Method:
    """A coroutine that writes, not a generator that yields: a cancelled call then unwinds in its own task at once,
    instead of in the collector's."""

    async def serve(request: Any, context: Any) -> None:
        call = Call(method, context)
        try:
            gate.enter(call)
            with use_traceparent(call.context.traceparent), span(method, kind="server"):
                async with aclosing(inner(request, context)) as responses:
                    async for response in responses:
                        await context.write(response)
            call.send_headers()
        except asyncio.CancelledError:
            call.observe("CANCELLED")
            raise
        except Exception as error:
            await call.fail(error)
        call.observe("OK")

    return serve

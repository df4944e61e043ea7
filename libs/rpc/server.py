"""The gRPC server of a service: one thin interceptor that knows who calls, until when, and what an error looks like.

Owns the order of things around a servicer's method: principal, call context, span, the method, errors to status,
metrics. It must not know any method's meaning. Health answers without a principal; reflection is left out in
production.
"""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from prometheus_client import Histogram

from libs.config import ServiceSettings
from libs.errors import AppError, InvalidArgument, PermissionDenied, Unauthenticated
from libs.rpc.context import CallContext, enter_call
from libs.rpc.errors import DETAILS_KEY, error_from_exception, status_code, status_details
from libs.rpc.principal import ROLE_GATEWAY, Principal, PrincipalVerifier
from libs.telemetry.metrics import RPC_SERVER_SECONDS
from libs.telemetry.traces import span, use_traceparent

_log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
DEFAULT_SECONDS = 30.0
_OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.")
_STATUS_METHOD = "/echosenseix.common.v1.StatusService/GetStatus"

# so_reuseport=0: a second process on a taken port must fail, not share it. The ages let load move to new replicas.
_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Adder = Callable[[Any, Any], None]
Method = Callable[[Any, Any], Any]


class RpcServer:
    """Serves `servicers` (pairs of the generated add_…_to_server and the servicer) for one audience, the service's
    name. `public_methods` are full method names that the gateway may call before anyone has logged in."""

    def __init__(
        self,
        settings: ServiceSettings,
        audience: str,
        servicers: Iterable[tuple[Adder, object]],
        *,
        public_methods: Iterable[str] = (),
    ) -> None:
        verifier = PrincipalVerifier(settings.principal_trusted_keys)
        interceptor = _CallInterceptor(verifier, audience, frozenset(public_methods))
        self._address = settings.grpc_address
        self._server = grpc.aio.server(interceptors=[interceptor], options=_OPTIONS)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        registrar = _Registrar(self._server)
        for add, servicer in servicers:
            add(servicer, registrar)
        if not settings.production:
            _add_reflection(self._server, registrar.service_names)

    async def start(self) -> str:
        """Listen and report SERVING; answers the address with the port that was taken."""
        host, _, _ = self._address.rpartition(":")
        port = self._server.add_insecure_port(self._address)
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return f"{host}:{port}"

    async def stop(self, grace: float) -> None:
        """Report NOT_SERVING, refuse new calls, give running ones `grace` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


class _Registrar:
    """Passes registrations on and notes the names of the services, which reflection wants."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.service_names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        self.service_names.append(service)
        self._server.add_registered_method_handlers(service, handlers)


def _add_reflection(server: grpc.aio.Server, names: Sequence[str]) -> None:
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection((*names, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)


class _CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method once, on its first call; afterwards a call costs one dictionary look-up here."""

    def __init__(self, verifier: PrincipalVerifier, audience: str, public_methods: frozenset[str]) -> None:
        self._gate = _Gate(verifier, audience, public_methods | {_STATUS_METHOD})
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
        inner, kind = _behaviour(handler)
        inner = _checking_each(inner) if handler.request_streaming else _checking(inner)
        streams = handler.response_streaming
        behaviour = _streaming(method, inner, self._gate) if streams else _unary(method, inner, self._gate)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped: _Handler = make(
            behaviour,
            request_deserializer=_forgiving(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return wrapped


def _behaviour(handler: Any) -> tuple[Method, str]:
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


def _unary(method: str, inner: Method, gate: "_Gate") -> Method:
    async def serve(request: Any, context: Any) -> Any:
        call = _Call(method, context)
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


def _streaming(method: str, inner: Method, gate: "_Gate") -> Method:
    """A coroutine that writes, not a generator that yields: a cancelled call then unwinds in its own task at once,
    instead of in the collector's."""

    async def serve(request: Any, context: Any) -> None:
        call = _Call(method, context)
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


class _Gate:
    """Lets a call in with its principal, or refuses it."""

    def __init__(self, verifier: PrincipalVerifier, audience: str, public_methods: frozenset[str]) -> None:
        self._verifier = verifier
        self._audience = audience
        self._public = public_methods

    def enter(self, call: "_Call") -> None:
        """Make the call and its principal those of the current task."""
        enter_call(call.context, None)
        enter_call(call.context, self._admit(call))

    def _admit(self, call: "_Call") -> Principal:
        scheme, _, token = call.authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise Unauthenticated("principal_required", "Call through the gateway, or with a service principal.")
        principal = self._verifier.verify(token, self._audience)
        if principal.role == ROLE_GATEWAY and call.method not in self._public:
            raise PermissionDenied("login_required", "Log in, or send an API key.")
        return principal


class _Call:
    """One call in flight: its context from the metadata, its clock, its way out."""

    __slots__ = ("_grpc", "_started", "authorization", "context", "method")

    def __init__(self, method: str, grpc_context: Any) -> None:
        self.method = method
        self._grpc = grpc_context
        self._started = time.monotonic()
        metadata = dict(grpc_context.invocation_metadata())
        seconds = grpc_context.time_remaining()
        self.authorization = str(metadata.get("authorization", ""))
        self.context = CallContext(
            request_id=str(metadata.get("x-request-id", "")),
            deadline=self._started + (DEFAULT_SECONDS if seconds is None else seconds),
            idempotency_key=str(metadata.get("x-idempotency-key", "")),
            idempotency_fingerprint=str(metadata.get("x-idempotency-fingerprint", "")),
            traceparent=str(metadata.get("traceparent", "")),
            min_version=_whole_number(metadata.get("x-min-version", "")),
        )

    def send_headers(self) -> None:
        if self.context.response_headers:
            self._grpc.set_trailing_metadata(tuple(self.context.response_headers.items()))

    async def fail(self, error: Exception) -> None:
        """End the call with the status for this error; always raises."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        known = error_from_exception(error)
        if not isinstance(error, AppError):
            _log.error("%s failed", self.method, exc_info=error, extra={"reason": known.reason})
        self.observe(known.code.name)
        trailing = ((DETAILS_KEY, status_details(known)), *self.context.response_headers.items())
        await self._grpc.abort(status_code(known), known.detail[:1000], trailing)

    def observe(self, code: str) -> None:
        _seconds(self.method, code).observe(time.monotonic() - self._started)


@functools.cache
def _seconds(method: str, code: str) -> Histogram:
    """Looking a labelled histogram up costs twice as much as using it."""
    return RPC_SERVER_SECONDS.labels(method, code)


def _whole_number(text: str | bytes) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 19 else 0

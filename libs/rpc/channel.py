"""The gRPC channel to a peer: every call carries principal, request id, trace and the time that is left − 50 ms.

Calls raise AppError, never grpc's own errors. Written around grpc's channel rather than as its interceptors, which
start a task for every call. Load is spread round robin over an address list or over what DNS answers. The suite's only
retry between services is here, and only the gateway opens its channels with it (docs/adr/0020-one-retry.md).
"""

import asyncio
import functools
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import grpc
from prometheus_client import Histogram

from libs.context import current_call, remaining_seconds
from libs.errors import AppError, DeadlineExceeded, Unavailable
from libs.resilience import Breaker, RetryBudget
from libs.rpc.audit import AUDIT_HEADER, audit_header
from libs.rpc.context import acting_principal, inbound_principal, remember_response_headers
from libs.rpc.errors import UNREACHABLE, error_from_rpc, is_answered
from libs.rpc.principal import GATEWAY, ROLE_GATEWAY, Principal, PrincipalMinter, service_principal
from libs.telemetry.metrics import BREAKER_OPEN, RPC_CLIENT_SECONDS
from libs.telemetry.traces import current_traceparent, span

# Calls in a row without an answer in time, after which the peer is not asked. Fewer: one slow method stops the others.
_SILENT_CALLS = 5
# Seconds without a call; then one at a time looks whether the peer answers again.
_SILENT_SECONDS = 0.5

Answers = AsyncGenerator[Any, None]

# Seconds kept back per hop, so that the inner deadline ends first and its error reaches the caller.
HOP_SECONDS = 0.05
# Seconds for a call outside a request.
DEFAULT_SECONDS = 5.0
# Bytes of a message: the server's limit.
_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
# Reconnect within 0.1–1 s of a peer's return; retries are our decision, not the library's. Despite its name
# min_reconnect_backoff is the time that one attempt may take. A peer on a busy node answers its first packets late, and
# attempts that are cut off before that would never succeed. A refused attempt ends at once.
_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),  # the server's limit decides
    ("grpc.enable_http_proxy", 0),
)


def open_channel(
    targets: str,
    *,
    audience: str,
    minter: PrincipalMinter,
    forward_idempotency: bool = False,
    retries: RetryBudget | None = None,
    credentials: grpc.ChannelCredentials | None = None,
) -> "RpcChannel":
    """A channel to the service named `audience`. `targets` is one address, a comma list of addresses, or a dns:/// URL.
    Only the gateway forwards idempotency keys and what is audited: they belong to the one write that the customer asked
    for. With `retries` a repeatable call whose peer was away is made once more, as long as the budget lasts. With
    `credentials` it speaks TLS, to a certificate that names the audience."""
    if credentials is None:
        inner = grpc.aio.insecure_channel(_target(targets), options=_OPTIONS)
    else:
        named = (*_OPTIONS, ("grpc.ssl_target_name_override", audience))
        inner = grpc.aio.secure_channel(_target(targets), credentials, options=named)
    return RpcChannel(inner, _Caller(audience, minter, forward_idempotency, retries))


def _target(targets: str) -> str:
    if "://" in targets or targets.startswith(("dns:", "unix:", "ipv4:", "ipv6:")):
        return targets
    addresses = [part.strip() for part in targets.split(",") if part.strip()]
    numeric = all(address.rpartition(":")[0].replace(".", "").isdigit() for address in addresses)
    if len(addresses) > 1 and not numeric:
        raise ValueError("a list of targets needs IPv4 addresses; use dns:///name:port for a name")
    return "ipv4:" + ",".join(addresses) if numeric else f"dns:///{addresses[0]}"


class RpcChannel(grpc.aio.Channel):
    """What the generated stubs are given."""

    def __init__(self, inner: grpc.aio.Channel, caller: "_Caller") -> None:
        self._inner = inner
        self._caller = caller

    async def __aenter__(self) -> "RpcChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._caller.repeating(self._caller.answering(method, self._inner.unary_unary(method, *args, **kwargs)))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._caller.answering(method, self._inner.stream_unary(method, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        streaming = self._caller.streaming(method, self._inner.unary_stream(method, *args, **kwargs))
        return self._caller.repeating_stream(streaming)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._caller.streaming(method, self._inner.stream_stream(method, *args, **kwargs))


class _Caller:
    """What goes with each call, and what becomes of its end."""

    def __init__(
        self, audience: str, minter: PrincipalMinter, forward_idempotency: bool, retries: RetryBudget | None
    ) -> None:
        self._audience = audience
        self._minter = minter
        self._forward_idempotency = forward_idempotency
        self._retries = retries
        # Only the gateway has a caller that waits; its open breaker answers within milliseconds.
        self._breaker = None if retries is None else Breaker(_SILENT_CALLS, _SILENT_SECONDS)
        if self._breaker is not None:
            BREAKER_OPEN.labels(audience).set_function(
                lambda: float(self._breaker is not None and self._breaker.is_open)
            )

    def repeating(self, once: Callable[..., Any]) -> Callable[..., Any]:
        """A method with one request and one answer, asked a second time when the peer went away and that is safe."""
        retries = self._retries
        if retries is None:
            return once

        async def call(request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 (grpc's own spelling)
            retries.earn()
            try:
                return await once(request, timeout=timeout)
            except Unavailable as error:
                if not _may_repeat(error, retries):
                    raise
            await asyncio.sleep(retries.pause())
            return await once(request, timeout=timeout)

        return call

    def repeating_stream(self, once: Callable[..., Answers]) -> Callable[..., Answers]:
        """A method with many answers, asked a second time when not even the first came."""
        retries = self._retries
        if retries is None:
            return once

        async def call(request: Any, *, timeout: float | None = None) -> Answers:  # noqa: ASYNC109
            retries.earn()
            begun = False
            try:
                async with aclosing(once(request, timeout=timeout)) as answers:
                    async for response in answers:
                        begun = True
                        yield response
                return
            except Unavailable as error:
                if begun or not _may_repeat(error, retries):
                    raise
            await asyncio.sleep(retries.pause())
            async with aclosing(once(request, timeout=timeout)) as answers:
                async for response in answers:
                    yield response

        return call

    def answering(self, method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """A method with one answer: awaitable, raising AppError."""

        async def call(request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 (grpc's own spelling)
            started = time.monotonic()
            if self._breaker is not None and not self._breaker.allows():
                raise Unavailable(
                    "service_not_answering", "A part does not answer at the moment. Try again.", retry_after=1.0
                )
            try:
                with span(method, kind="client"):
                    running = inner(request, timeout=self._seconds(timeout), metadata=self._metadata())
                    response = await running
                    remember_response_headers(_x_headers(await running.trailing_metadata()))
            except Exception as error:
                self._note(error)
                raise _refused(method, started, error) from None
            self._note(None)
            _seconds_of(method, "OK").observe(time.monotonic() - started)
            return response

        return call

    def streaming(self, method: str, inner: Callable[..., Any]) -> Callable[..., Answers]:
        """A method with many answers: an async iterator, raising AppError."""

        async def call(request: Any, *, timeout: float | None = None) -> Answers:  # noqa: ASYNC109
            started = time.monotonic()
            try:
                running = inner(request, timeout=self._seconds(timeout), metadata=self._metadata())
                try:
                    async for response in running:
                        yield response
                finally:
                    running.cancel()
            except grpc.aio.AioRpcError as error:
                raise _refused(method, started, error) from None
            _seconds_of(method, "OK").observe(time.monotonic() - started)

        return call

    def _note(self, error: Exception | None) -> None:
        """Only silence counts: a peer that is gone refuses at once, and any answer shows that it works, also that it
        had too little time. A call that was not made says nothing."""
        if self._breaker is None or not (error is None or isinstance(error, grpc.aio.AioRpcError)):
            return
        if error is not None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and not is_answered(error):
            self._breaker.failed()
        else:
            self._breaker.succeeded()

    def _seconds(self, timeout: float | None) -> float:
        """The least of what the caller gives, what the current call has left minus a hop, and a default."""
        left = remaining_seconds()
        if left is None:
            return DEFAULT_SECONDS if timeout is None else timeout
        left -= HOP_SECONDS
        if left <= 0:
            raise DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again.")
        return left if timeout is None else min(left, timeout)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        call = current_call()
        metadata = [("authorization", "Bearer " + self._minter.mint(self._principal(), self._audience))]
        if call.on_behalf_of and self._minter.issuer != GATEWAY:
            metadata.append(("x-on-behalf-of", call.on_behalf_of))
        if call.request_id:
            metadata.append(("x-request-id", call.request_id))
        if traceparent := current_traceparent() or call.traceparent:
            metadata.append(("traceparent", traceparent))
        if call.min_version:
            metadata.append(("x-min-version", str(call.min_version)))
        if call.may_lag:
            metadata.append(("x-may-lag", "1"))
        if self._forward_idempotency and call.audited is not None:
            metadata.append((AUDIT_HEADER, audit_header(call.audited)))
        if self._forward_idempotency and call.idempotency_key:
            metadata.append(("x-idempotency-key", call.idempotency_key))
            metadata.append(("x-idempotency-fingerprint", call.idempotency_fingerprint))
        return tuple(metadata)

    def _principal(self) -> Principal:
        acting = acting_principal()
        if acting is not None:
            return acting
        if self._minter.issuer == GATEWAY:
            return inbound_principal() or Principal(role=ROLE_GATEWAY, issuer=GATEWAY)
        return service_principal(self._minter.issuer)


def _may_repeat(error: Unavailable, retries: RetryBudget) -> bool:
    """Whether to retry; counts the retry. The second try has what the call's deadline leaves."""
    return error.reason == UNREACHABLE and current_call().repeatable and retries.spend()


def _refused(method: str, started: float, error: Exception) -> Exception:
    known = error_from_rpc(error) if isinstance(error, grpc.aio.AioRpcError) else error
    if isinstance(known, AppError):
        _seconds_of(method, known.code.name).observe(time.monotonic() - started)
    return known


@functools.cache
def _seconds_of(method: str, code: str) -> Histogram:
    """Looking a labelled histogram up costs twice as much as using it."""
    return RPC_CLIENT_SECONDS.labels(method, code)


def _x_headers(metadata: Any) -> dict[str, str]:
    return {key: value for key, value in metadata or () if key.startswith("x-") and isinstance(value, str)}

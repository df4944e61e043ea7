"""What goes with a call and what comes back, over real sockets."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from libs.config import ServiceSettings
from libs.errors import (
    DeadlineExceeded,
    Internal,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Violation,
)
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import (
    CallContext,
    acting_as,
    current_call,
    current_principal,
    remaining_seconds,
    response_headers,
    serving,
    set_response_header,
)
from libs.rpc.principal import Principal, PrincipalMinter, service_principal
from libs.rpc.server import RpcServer
from libs.telemetry import current_traceparent
from libs.telemetry.metrics import REGISTRY

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWNER = Principal(org_id="org_1", user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway")


def text(value: str) -> StringValue:
    return StringValue(value=value)


@pytest.fixture
def stub(echo_module: ModuleType, channel: RpcChannel) -> Any:
    return echo_module.EchoStub(channel)


async def test_all_shapes_of_methods_work(stub: Any) -> None:
    async def parts() -> AsyncIterator[StringValue]:
        for part in ("a", "b"):
            yield text(part)

    assert (await stub.say(text("hello"))).value == "hello"
    assert [item.value async for item in stub.count(text("3"))] == ["0", "1", "2"]
    assert (await stub.collect(parts())).value == "ab"


async def test_a_refusal_in_the_middle_of_a_stream_reaches_the_one_who_still_writes(stub: Any, echo: Any) -> None:
    async def refuse() -> None:
        raise NotFound("entry_not_found", "Name another.")

    async def parts(pause: float) -> AsyncIterator[StringValue]:
        yield text("refuse")
        for _ in range(4):
            yield text("x" * 1000)
            await asyncio.sleep(pause)

    echo.acts["refuse"] = refuse
    for attempt in range(200):
        with pytest.raises(NotFound, match="Name another"):
            await stub.collect(parts(0.0002 * (attempt % 5)))


async def test_the_call_carries_request_trace_version_and_principal(stub: Any, echo: Any) -> None:
    seen: dict[str, Any] = {}

    async def look() -> None:
        seen.update(call=current_call(), principal=current_principal(), trace=current_traceparent())

    echo.acts["look"] = look
    call = CallContext(request_id="req_1", traceparent=TRACEPARENT, min_version=7, may_lag=True, idempotency_key="k")
    with serving(call, OWNER):
        await stub.say(text("look"))
    assert seen["call"].request_id == "req_1"
    assert seen["call"].min_version == 7
    assert seen["call"].may_lag
    assert seen["call"].idempotency_key == ""
    assert seen["trace"] == TRACEPARENT
    assert seen["principal"] == service_principal("agent")


async def test_the_gateway_passes_its_caller_and_the_idempotency_key_on(
    echo_module: ModuleType, echo: Any, address: str, gateway: PrincipalMinter
) -> None:
    seen: dict[str, Any] = {}

    async def look() -> None:
        seen.update(call=current_call(), principal=current_principal())

    echo.acts["look"] = look
    async with open_channel(address, audience="echo", minter=gateway, forward_idempotency=True) as channel:
        stub = echo_module.EchoStub(channel)
        with serving(CallContext(idempotency_key="k1", idempotency_fingerprint="f1")), acting_as(OWNER):
            await stub.say(text("look"))
    assert seen["principal"] == OWNER
    assert (seen["call"].idempotency_key, seen["call"].idempotency_fingerprint) == ("k1", "f1")


async def test_before_login_the_gateway_reaches_only_public_methods(
    echo_module: ModuleType, address: str, gateway: PrincipalMinter
) -> None:
    async def nothing() -> AsyncIterator[StringValue]:
        parts: tuple[StringValue, ...] = ()
        for part in parts:
            yield part

    async with open_channel(address, audience="echo", minter=gateway) as channel:
        stub = echo_module.EchoStub(channel)
        assert (await stub.collect(nothing())).value == ""
        with pytest.raises(PermissionDenied) as caught:
            await stub.say(text("x"))
        assert caught.value.reason == "login_required"


async def test_without_a_principal_nothing_answers(echo_module: ModuleType, bare: grpc.aio.Channel) -> None:
    stub = echo_module.EchoStub(bare)
    for metadata in ((), (("authorization", "Bearer x"),), (("authorization", "Basic x"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.say(text("x"), metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.count(text("1"), metadata=metadata):
                pass
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_for_another_service_is_refused(
    echo_module: ModuleType, address: str, agent: PrincipalMinter
) -> None:
    async with open_channel(address, audience="billing", minter=agent) as channel:
        with pytest.raises(Unauthenticated):
            await echo_module.EchoStub(channel).say(text("x"))


async def test_a_refusal_arrives_as_it_was_raised(stub: Any, echo: Any) -> None:
    async def refuse() -> None:
        violation = Violation("#/name", "too_long", "At most 3.")
        raise NotFound("agent_not_found", "No such agent.", violations=[violation], retry_after=2)

    echo.acts.update(refuse=refuse, end=refuse)
    for call in (stub.say(text("refuse")), anext(stub.count(text("0")))):
        with pytest.raises(NotFound) as caught:
            await call
        assert (caught.value.reason, caught.value.detail) == ("agent_not_found", "No such agent.")
        assert caught.value.violations == (Violation("#/name", "too_long", "At most 3."),)
        assert caught.value.retry_after == 2


async def test_a_stream_that_fails_midway_gives_its_beginning(stub: Any, echo: Any) -> None:
    async def refuse() -> None:
        raise NotFound("gone", "Gone.")

    echo.acts["end"] = refuse
    stream = stub.count(text("2"))
    assert [(await anext(stream)).value for _ in range(2)] == ["0", "1"]
    with pytest.raises(NotFound):
        await anext(stream)


async def test_a_bug_is_told_in_fixed_words_and_logged(stub: Any, echo: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def bug() -> None:
        raise ValueError("postgres at 10.0.0.1 says no")

    echo.acts["bug"] = bug
    with caplog.at_level(logging.ERROR), pytest.raises(Internal) as caught:
        await stub.say(text("bug"))
    assert "10.0.0.1" not in str(caught.value)
    assert "Say failed" in caplog.text


async def test_an_unknown_method_and_an_absent_server_give_fixed_words(
    stub: Any, echo_module: ModuleType, agent: PrincipalMinter
) -> None:
    with pytest.raises(Unimplemented) as unknown:
        await stub.absent(text("x"))
    assert "Absent" not in unknown.value.detail
    async with open_channel("127.0.0.1:1", audience="echo", minter=agent) as channel:
        with pytest.raises(Unavailable) as absent:
            await echo_module.EchoStub(channel).say(text("x"))
    assert "127.0.0.1" not in absent.value.detail
    assert absent.value.retry_after == 1


async def test_headers_come_back_with_answers_and_refusals(stub: Any, echo: Any) -> None:
    async def answer() -> str:
        set_response_header("x-idempotency-replayed", "true")
        return "ok"

    echo.acts["answer"] = answer
    with serving(CallContext()):
        await stub.say(text("plain"))
        assert response_headers() == {}
        await asyncio.gather(stub.say(text("answer")), stub.say(text("plain")))
        assert response_headers() == {"x-idempotency-replayed": "true"}
    with serving(CallContext()):
        await stub.say(text("plain"))
        assert response_headers() == {}


# grpc rounds what is left up by some milliseconds on its way, hence the small allowances.
async def test_a_hop_leaves_fifty_milliseconds_less(stub: Any, echo: Any) -> None:
    async def left() -> float | None:
        return remaining_seconds()

    echo.acts["left"] = left
    with serving(CallContext(deadline=time.monotonic() + 1.0)):
        seen = float((await stub.say(text("left"))).value)
    assert 0.5 < seen <= 0.97


async def test_an_explicit_timeout_never_lengthens_the_deadline(stub: Any, echo: Any) -> None:
    async def left() -> float | None:
        return remaining_seconds()

    echo.acts["left"] = left
    with serving(CallContext(deadline=time.monotonic() + 1.0)):
        assert float((await stub.say(text("left"), timeout=20)).value) <= 0.97
        assert float((await stub.say(text("left"), timeout=0.5)).value) <= 0.52
    assert float((await stub.say(text("left"))).value) <= 5.1


async def test_no_call_is_made_without_time_left(stub: Any) -> None:
    with serving(CallContext(deadline=time.monotonic() + 0.04)), pytest.raises(DeadlineExceeded):
        await stub.say(text("x"))


async def test_the_deadline_cancels_the_servers_work(stub: Any, echo: Any) -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    echo.acts["hang"] = hang
    with pytest.raises(DeadlineExceeded):
        await stub.say(text("hang"), timeout=0.3)
    await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_caller_that_gives_up_cancels_the_servers_work(stub: Any, echo: Any) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    echo.acts["hang"] = hang
    caller = asyncio.ensure_future(stub.say(text("hang")))
    await asyncio.wait_for(begun.wait(), 2)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_reader_that_stops_ends_the_servers_stream(stub: Any, echo: Any) -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    echo.acts["end"] = hang
    stream = stub.count(text("1"))
    assert (await anext(stream)).value == "0"
    await stream.aclose()
    await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_reader_too_slow_to_read_ends_the_servers_stream(
    stub: Any, echo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    closed = asyncio.Event()
    echo.on_close = closed.set
    stream = stub.count(text("1000000"))
    assert (await anext(stream)).value == "0"
    await asyncio.sleep(0.2)  # the server runs into the full window
    await stream.aclose()
    await asyncio.wait_for(closed.wait(), 2)
    await asyncio.sleep(0.05)  # what unwinds elsewhere complains later
    assert caplog.text == ""


async def test_a_message_too_large_is_refused_without_harm(stub: Any) -> None:
    with pytest.raises(ResourceExhausted):
        await stub.say(text("x" * (9 * 1024 * 1024)))
    assert (await stub.say(text("small"))).value == "small"


async def test_bytes_that_are_no_message_are_the_callers_fault(
    echo_module: ModuleType, bare: grpc.aio.Channel, agent: PrincipalMinter
) -> None:
    token = agent.mint(service_principal("agent"), "echo")
    raw: Any = bare.unary_unary(f"/{echo_module.SERVICE}/Say")
    streamed: Any = bare.stream_unary(f"/{echo_module.SERVICE}/Collect")
    for content in (b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x01\xff"):
        for call in (raw(content, metadata=_bearer(token)), streamed(iter([content]), metadata=_bearer(token))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(b"\xff")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_huge_metadata_are_refused_without_harm(stub: Any, echo_module: ModuleType, bare: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo_module.EchoStub(bare).say(text("x"), metadata=(("x-a", "b" * 100_000),))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await stub.say(text("small"))).value == "small"


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def test_calls_are_counted_by_method_and_code(stub: Any) -> None:
    def count(metric: str) -> float:
        labels = {"method": "/test.v1.EchoService/Say", "code": "OK"}
        return REGISTRY.get_sample_value(f"{metric}_duration_seconds_count", labels) or 0.0

    before = count("rpc_server"), count("rpc_client")
    await stub.say(text("x"))
    assert (count("rpc_server"), count("rpc_client")) == (before[0] + 1, before[1] + 1)


async def test_health_needs_no_principal_and_reflection_names_the_services(
    address: str, bare: grpc.aio.Channel
) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    health = await health_pb2_grpc.HealthStub(bare).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(bare)
    calls = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for answer in calls:
        names = {service.name for service in answer.list_services_response.service}
    assert "grpc.health.v1.Health" in names
    assert "test.v1.EchoService" in names


async def test_production_has_no_reflection(echo_module: ModuleType, gateway: PrincipalMinter) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    settings = ServiceSettings(environment="production", principal_trusted_keys=(gateway.public_key(),))
    server = RpcServer(settings, "echo", [(echo_module.add_echo, echo_module.Echo())], access=echo_module.ACCESS)
    async with grpc.aio.insecure_channel(await server.start()) as bare:
        reflection = reflection_pb2_grpc.ServerReflectionStub(bare)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest()])):
                pass
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(0)


async def test_a_taken_port_is_refused(address: str, gateway: PrincipalMinter) -> None:
    settings = ServiceSettings(grpc_address=address, principal_trusted_keys=(gateway.public_key(),))
    second = RpcServer(settings, "echo", [])
    with pytest.raises(RuntimeError):
        await second.start()
    await second.stop(0)


async def test_a_stopping_server_finishes_what_it_has_and_takes_nothing_new(
    echo_module: ModuleType, agent: PrincipalMinter
) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        await release.wait()
        return "done"

    echo = echo_module.Echo()
    echo.acts["work"] = work
    settings = ServiceSettings(principal_trusted_keys=(agent.public_key(),))
    server = RpcServer(settings, "echo", [(echo_module.add_echo, echo)], access=echo_module.ACCESS)
    async with open_channel(await server.start(), audience="echo", minter=agent) as channel:
        stub = echo_module.EchoStub(channel)
        running = asyncio.ensure_future(stub.say(text("work")))
        await asyncio.wait_for(begun.wait(), 2)
        stopping = asyncio.ensure_future(server.stop(5))
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable):
            await stub.say(text("late"))
        release.set()
        assert (await running).value == "done"
        await asyncio.wait_for(stopping, 2)


async def test_every_service_answers_the_gateway_for_its_status(gateway: PrincipalMinter) -> None:
    class Status(common_pb2_grpc.StatusServiceServicer):
        async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
            return common_pb2.GetStatusResponse(service="echo")

    settings = ServiceSettings(principal_trusted_keys=(gateway.public_key(),))
    server = RpcServer(settings, "echo", [(common_pb2_grpc.add_StatusServiceServicer_to_server, Status())])
    async with open_channel(await server.start(), audience="echo", minter=gateway) as channel:
        status = await common_pb2_grpc.StatusServiceStub(channel).GetStatus(common_pb2.GetStatusRequest())
    assert status.service == "echo"
    await server.stop(0)

"""A service with too much to do says so at once, and begins nothing whose time is over."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.wrappers_pb2 import StringValue

from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from gateway.http.problems import refusal_of
from libs.config import ServiceSettings
from libs.errors import AppError, DeadlineExceeded, Unavailable
from libs.resilience import RetryBudget
from libs.rpc.callers import MethodAccess
from libs.rpc.channel import open_channel
from libs.rpc.inbound import Call, Gate
from libs.rpc.principal import PrincipalMinter, PrincipalVerifier
from libs.rpc.server import RpcServer
from libs.telemetry.metrics import REGISTRY

PLACES = 3
STATUS = "/echosenseix.common.v1.StatusService/GetStatus"


class Status(common_pb2_grpc.StatusServiceServicer):
    async def GetStatus(  # noqa: N802 (the name of the RPC)
        self, request: Any, context: Any
    ) -> common_pb2.GetStatusResponse:
        return common_pb2.GetStatusResponse(service="echo")


class Scene:
    """A server of three places, whose method `wait` lasts until it is let go."""

    def __init__(self, stub: Any, status: Any) -> None:
        self.stub, self.status = stub, status
        self.gate, self.begun = asyncio.Event(), 0

    async def wait(self) -> str:
        self.begun += 1
        await self.gate.wait()
        return "waited"


@pytest_asyncio.fixture
async def scene(echo_module: ModuleType, echo: Any, agent: PrincipalMinter) -> AsyncIterator[Scene]:
    settings = ServiceSettings(principal_trusted_keys=(agent.public_key(),), rpc_places=PLACES)
    servicers = [(echo_module.add_echo, echo), (common_pb2_grpc.add_StatusServiceServicer_to_server, Status())]
    access = {**echo_module.ACCESS, STATUS: MethodAccess(frozenset({"agent"}), before_login=False)}
    server = RpcServer(settings, "echo", servicers, access=access)
    address = await server.start()
    async with open_channel(address, audience="echo", minter=agent, retries=RetryBudget()) as channel:
        made = Scene(echo_module.EchoStub(channel), common_pb2_grpc.StatusServiceStub(channel))
        echo.acts["wait"] = made.wait
        yield made
    await server.stop(0)


async def answered(scene: Scene, calls: int) -> list[Any]:
    """What each of so many calls gets. The ones that are refused end first, because the others are let go by them."""
    refused = 0

    async def call() -> Any:
        nonlocal refused
        try:
            return (await scene.stub.say(StringValue(value="wait"), timeout=60.0)).value
        except AppError as error:
            refused += 1
            if refused == calls - PLACES:
                scene.gate.set()
            return error

    return await asyncio.gather(*(call() for _ in range(calls)))


async def test_calls_beyond_the_places_are_refused_before_any_other_ends(scene: Scene) -> None:
    shed = REGISTRY.get_sample_value("rpc_server_shed_total") or 0
    answers = await answered(scene, 10)
    refusals = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert [answer for answer in answers if answer == "waited"] == ["waited"] * PLACES
    assert [(refusal.reason, refusal.retry_after) for refusal in refusals] == [("overloaded", 1.0)] * 7
    assert scene.begun == PLACES
    assert REGISTRY.get_sample_value("rpc_server_shed_total") == shed + 7
    assert REGISTRY.get_sample_value("rpc_server_running") == 0
    assert (await scene.stub.say(StringValue(value="hello"))).value == "hello"


async def test_a_client_of_the_gateway_learns_503_and_when_to_try_again(scene: Scene) -> None:
    answers = await answered(scene, PLACES + 1)
    [error] = [answer for answer in answers if isinstance(answer, AppError)]
    refusal = refusal_of(error)
    assert refusal.status == 503
    assert refusal.headers(signed_in=True)["retry-after"] == "1"


async def test_the_status_is_told_while_all_places_are_taken(scene: Scene) -> None:
    calls = [asyncio.create_task(scene.stub.say(StringValue(value="wait"), timeout=60.0)) for _ in range(PLACES)]
    async with asyncio.timeout(30):
        while scene.begun < PLACES:
            await asyncio.sleep(0.01)
    assert (await scene.status.GetStatus(common_pb2.GetStatusRequest())).service == "echo"
    scene.gate.set()
    await asyncio.gather(*calls)


@pytest.mark.parametrize(("left", "begins"), [(5.0, True), (0.0, False), (-1.0, False)])
def test_a_call_whose_time_has_passed_while_it_waited_is_not_begun(
    agent: PrincipalMinter, left: float, begins: bool
) -> None:
    context = SimpleNamespace(invocation_metadata=dict, time_remaining=lambda: left)
    gate = Gate(PrincipalVerifier((agent.public_key(),)), "echo", {})
    call = Call("/test.v1.EchoService/Say", context)
    with pytest.raises(AppError) as refused:
        # In a context of its own: the tests after this one must not inherit the call and its deadline.
        contextvars.copy_context().run(gate.enter, call)
    assert isinstance(refused.value, DeadlineExceeded) is not begins

"""The gateway's one retry: real servers, killed in the middle of a call. What may not be repeated is sent once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from libs.config import ServiceSettings
from libs.context import CallContext, remaining_seconds, serving
from libs.errors import DeadlineExceeded, NotFound, Unavailable
from libs.resilience import RetryBudget
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.server import RpcServer


class Pair:
    """Two replicas; the one that hears "die" is cut off in the middle of it, every time the other one just answers."""

    def __init__(self, module: ModuleType) -> None:
        self.echoes = [module.Echo(), module.Echo()]
        self.servers: list[RpcServer] = []
        self.addresses: list[str] = []
        self.heard: list[int] = []
        self.both_die = False

    async def start(self, module: ModuleType, trusted: str) -> None:
        settings = ServiceSettings(principal_trusted_keys=(trusted,))
        for place, echo in enumerate(self.echoes):
            echo.acts["die"] = lambda place=place: self.die(place)
            server = RpcServer(settings, "echo", [(module.add_echo, echo)], access=module.ACCESS)
            self.servers.append(server)
            self.addresses.append(await server.start())

    async def die(self, place: int) -> str:
        self.heard.append(place)
        if self.both_die or len(self.heard) == 1:
            stopping = asyncio.create_task(self.servers[place].stop(0))
            await asyncio.sleep(5)
            await stopping
        return "answered"


@pytest.fixture
def open_pair(echo_module: ModuleType, agent: PrincipalMinter) -> Any:
    @asynccontextmanager
    async def opening(budget: RetryBudget | None) -> AsyncIterator[tuple[Pair, Any]]:
        pair = Pair(echo_module)
        await pair.start(echo_module, agent.public_key())
        try:
            async with open_channel(",".join(pair.addresses), audience="echo", minter=agent, retries=budget) as channel:
                stub = echo_module.EchoStub(channel)
                for _ in range(20):  # until both are connected
                    await stub.say(StringValue(value="hello"))
                yield pair, stub
        finally:
            for server in pair.servers:
                await server.stop(0)

    return opening


READ = CallContext(repeatable=True)
WRITE = CallContext()


async def _die(stub: Any, context: CallContext) -> str:
    with serving(context):
        return str((await stub.say(StringValue(value="die"))).value)


async def test_a_repeatable_call_is_answered_by_the_other_replica(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        assert await _die(stub, READ) == "answered"
        assert sorted(pair.heard) == [0, 1]


async def test_a_write_without_a_key_is_not_sent_a_second_time(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        with pytest.raises(Unavailable):
            await _die(stub, WRITE)
        await asyncio.sleep(0.3)  # longer than the pause before a retry
        assert len(pair.heard) == 1


async def test_between_services_nothing_is_repeated(open_pair: Any) -> None:
    async with open_pair(None) as (pair, stub):
        with pytest.raises(Unavailable):
            await _die(stub, READ)
        assert len(pair.heard) == 1


async def test_it_is_repeated_once_and_not_again(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        pair.both_die = True
        with pytest.raises(Unavailable):
            await _die(stub, READ)
        assert len(pair.heard) == 2


async def test_an_empty_budget_ends_the_retries(open_pair: Any) -> None:
    budget = RetryBudget()
    async with open_pair(budget) as (pair, stub):
        while budget.spend():
            pass
        with pytest.raises(Unavailable):
            await _die(stub, READ)
        assert len(pair.heard) == 1


async def test_calls_to_a_service_that_stays_away_cost_a_tenth_more_at_most(
    echo_module: ModuleType, agent: PrincipalMinter
) -> None:
    spent = 0

    class Counted(RetryBudget):
        def spend(self) -> bool:
            nonlocal spent
            allowed = super().spend()
            spent += allowed
            return allowed

    async with open_channel("127.0.0.1:1", audience="echo", minter=agent, retries=Counted()) as channel:
        stub = echo_module.EchoStub(channel)
        ends = await asyncio.gather(*(_die(stub, READ) for _ in range(300)), return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ends)
    assert 20 <= spent <= 20 + 30


async def test_the_second_try_keeps_the_deadline_of_the_first(open_pair: Any) -> None:
    left: list[float] = []
    async with open_pair(RetryBudget()) as (pair, stub):
        for echo in pair.echoes:
            act = echo.acts["die"]

            async def slow(act: Any = act) -> str:
                left.append(remaining_seconds() or 0.0)
                await asyncio.sleep(1.0)
                answer = str(await act())
                await asyncio.sleep(60)
                return answer

            echo.acts["die"] = slow
        with pytest.raises(DeadlineExceeded):
            await _die(stub, CallContext(repeatable=True, deadline=time.monotonic() + 4.0))
        assert len(pair.heard) == 2
        assert left[1] <= left[0] - 1.0


async def test_a_refusal_is_an_answer(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        heard = []

        async def refuse() -> str:
            heard.append(1)
            raise NotFound("agent_not_found", "There is no such agent.")

        for echo in pair.echoes:
            echo.acts["die"] = refuse
        with pytest.raises(NotFound):
            await _die(stub, READ)
        assert heard == [1]


async def _count(stub: Any, received: list[str]) -> None:
    with serving(READ):
        async for answer in stub.count(StringValue(value="2")):
            received.append(answer.value)


async def test_a_stream_that_has_begun_is_not_asked_again(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        for place, echo in enumerate(pair.echoes):
            echo.acts["end"] = lambda place=place: pair.die(place)
        received: list[str] = []
        with pytest.raises(Unavailable):
            await _count(stub, received)
        assert received == ["0", "1"]
        assert len(pair.heard) == 1


async def test_a_stream_that_never_began_is_asked_again(open_pair: Any) -> None:
    async with open_pair(RetryBudget()) as (pair, stub):
        for place, echo in enumerate(pair.echoes):
            echo.acts["begin"] = lambda place=place: pair.die(place)
        received: list[str] = []
        await _count(stub, received)
        assert received == ["0", "1"]
        assert sorted(pair.heard) == [0, 1]

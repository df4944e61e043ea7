"""The gateway's calls of a silent service: after a few that got no answer in time it is not asked for a while."""

import asyncio
import time
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from libs.context import CallContext, serving
from libs.errors import DeadlineExceeded, NotFound, Unavailable
from libs.resilience import RetryBudget
from libs.rpc import channel as channel_module
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter
from libs.telemetry.metrics import REGISTRY


async def silent() -> str:
    await asyncio.sleep(30)
    return "late"


async def missing() -> str:
    raise NotFound("thing_not_found", "No such thing.")


async def test_a_silent_service_is_not_asked_until_it_answers_again(
    echo_module: ModuleType, echo: Any, address: str, agent: PrincipalMinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough that the breaker still rests after the calls that opened it, on a busy machine too.
    monkeypatch.setattr(channel_module, "_SILENT_SECONDS", 5.0)
    echo.acts["silence"] = silent
    async with open_channel(address, audience="echo", minter=agent, retries=RetryBudget()) as channel:
        stub = echo_module.EchoStub(channel)
        await stub.say(StringValue(value="hello"))
        for _ in range(5):
            with pytest.raises(DeadlineExceeded):
                await stub.say(StringValue(value="silence"), timeout=0.1)
        assert REGISTRY.get_sample_value("breaker_open", {"dependency": "echo"}) == 1.0
        told: list[str] = []
        echo.acts["hello"] = lambda: answered(told)
        with pytest.raises(Unavailable) as refused:
            await stub.say(StringValue(value="hello"))
        assert (refused.value.reason, refused.value.retry_after, told) == ("service_not_answering", 1.0, [])
        await asyncio.sleep(5.1)
        answers = await asyncio.gather(
            *(stub.say(StringValue(value="hello")) for _ in range(3)), return_exceptions=True
        )
        assert [isinstance(answer, Unavailable) for answer in answers] == [False, True, True], "one looks"
        assert (await stub.say(StringValue(value="hello"))).value == "told"
        assert REGISTRY.get_sample_value("breaker_open", {"dependency": "echo"}) == 0.0


async def answered(told: list[str]) -> str:
    told.append("hello")
    return "told"


async def too_late() -> str:
    raise DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again, or ask for less.")


async def test_a_service_that_says_that_the_time_was_too_short_is_asked_again(
    echo_module: ModuleType, echo: Any, address: str, agent: PrincipalMinter
) -> None:
    echo.acts["late"] = too_late
    async with open_channel(address, audience="echo", minter=agent, retries=RetryBudget()) as channel:
        stub = echo_module.EchoStub(channel)
        for _ in range(12):
            with pytest.raises(DeadlineExceeded):
                await stub.say(StringValue(value="late"))
        assert (await stub.say(StringValue(value="hello"))).value == "hello"


async def test_a_call_without_time_left_says_nothing_of_the_service(
    echo_module: ModuleType, address: str, agent: PrincipalMinter
) -> None:
    async with open_channel(address, audience="echo", minter=agent, retries=RetryBudget()) as channel:
        stub = echo_module.EchoStub(channel)
        for _ in range(12):
            with serving(CallContext(deadline=time.monotonic())), pytest.raises(DeadlineExceeded):
                await stub.say(StringValue(value="hello"))
        assert (await stub.say(StringValue(value="hello"))).value == "hello"


async def test_refusals_show_that_a_service_works(
    echo_module: ModuleType, echo: Any, address: str, agent: PrincipalMinter
) -> None:
    echo.acts["silence"], echo.acts["missing"] = silent, missing
    async with open_channel(address, audience="echo", minter=agent, retries=RetryBudget()) as channel:
        stub = echo_module.EchoStub(channel)
        for _ in range(3):
            for _ in range(4):
                with pytest.raises(DeadlineExceeded):
                    await stub.say(StringValue(value="silence"), timeout=0.05)
            with pytest.raises(NotFound):
                await stub.say(StringValue(value="missing"))

"""How many event streams one token and one organization hold, and what a stream past that is told."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from services.realtime.doors.opening import Doors
from tests.security.conftest import STREAMS, realtime_token


async def opened(doors: Doors, tokens: list[str], stack: contextlib.AsyncExitStack) -> list[httpx.Response]:
    """One stream a token, all open at once."""
    http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{doors.addresses['http']}", timeout=60))
    answers = []
    for token in tokens:
        headers = {"authorization": f"Bearer {token}"}
        answers.append(await stack.enter_async_context(http.stream("GET", "/api/events/stream", headers=headers)))
    return answers


async def test_one_token_opens_a_few_streams_and_no_more(realtime_doors: Doors) -> None:
    async with contextlib.AsyncExitStack() as stack:
        token = realtime_token("org_token")
        answers = await opened(realtime_doors, [token] * 4, stack)
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        refusal = await answers[-1].aread()
        assert b'"code":"too_many_streams"' in refusal
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_one_organization_opens_no_more_streams_than_it_may_and_another_is_not_concerned(
    realtime_doors: Doors,
) -> None:
    tokens = [realtime_token("org_many", f"usr_{number}") for number in range(STREAMS + 1)]
    async with contextlib.AsyncExitStack() as stack:
        answers = await opened(realtime_doors, [*tokens, realtime_token("org_other")], stack)
        assert [answer.status_code for answer in answers] == [200] * STREAMS + [429, 200]


async def test_a_stream_that_ended_makes_room(realtime_doors: Doors) -> None:
    token = realtime_token("org_room")
    async with contextlib.AsyncExitStack() as stack:
        await opened(realtime_doors, [token] * 3, stack)
    async with asyncio.timeout(10):
        while True:
            async with contextlib.AsyncExitStack() as stack:
                (answer,) = await opened(realtime_doors, [token], stack)
                if answer.status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def test_a_client_that_asks_by_head_holds_no_stream(realtime_doors: Doors) -> None:
    headers = {"authorization": f"Bearer {realtime_token('org_head')}"}
    async with httpx.AsyncClient(base_url=f"http://{realtime_doors.addresses['http']}", timeout=10) as http:
        answers = [await http.head("/api/events/stream", headers=headers) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}

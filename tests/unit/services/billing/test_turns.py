"""Turns: one organization waits for itself, no one waits for another, nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from services.billing.servicer.turns import Turns


async def test_one_organization_works_two_at_a_time_in_order() -> None:
    turns, running, order, most = Turns(), 0, [], 0

    async def act(number: int) -> None:
        nonlocal running, most
        async with turns.of("org_a"):
            running += 1
            most = max(most, running)
            order.append(number)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(act(number) for number in range(20)))
    assert most == 2
    assert order == list(range(20))
    assert turns._waiting == {}


async def test_another_organization_does_not_wait() -> None:
    turns = Turns(1)
    async with turns.of("org_a"):
        async with asyncio.timeout(1), turns.of("org_b"):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), turns.of("org_a"):
                pass
    assert turns._waiting == {}

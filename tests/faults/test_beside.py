"""A fault run that fails says why: what went on beside it is ended and stays silent."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.beside import beside


async def test_the_error_of_the_block_is_raised_and_what_goes_on_beside_it_is_ended() -> None:
    with pytest.raises(RuntimeError, match="the cause"):
        async with beside(asyncio.Event().wait()) as acting:
            raise RuntimeError("the cause")
    assert acting.cancelled()


async def test_an_earlier_error_beside_the_block_is_noted_at_the_error_of_the_block() -> None:
    async def fail() -> None:
        raise ValueError("the client has been closed")

    async def run() -> None:
        async with beside(fail()) as acting:
            await asyncio.wait([acting])
            raise RuntimeError("the cause")

    with pytest.raises(RuntimeError, match="the cause") as raised:
        await run()
    assert "the client has been closed" in raised.value.__notes__[0]


async def test_the_block_waits_for_the_end_of_what_goes_on_beside_it_and_for_its_error() -> None:
    stop = asyncio.Event()

    async def fail_at_the_end() -> None:
        await stop.wait()
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        async with beside(fail_at_the_end()):
            stop.set()

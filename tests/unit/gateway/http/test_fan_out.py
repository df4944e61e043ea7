"""Several services asked as one: every part ends, the answer is whole, and a busy part is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gateway.http.fan_out import ask_all
from libs.context import CallContext
from libs.errors import Aborted, NotFound
from libs.rpc.context import remember_response_headers, response_headers, serving

REPLAYED = {"x-idempotency-replayed": "true"}


def part(answer: int, *, replayed: bool, busy: int = 0) -> Callable[[], Awaitable[int]]:
    left = [busy]

    async def ask() -> int:
        if left[0]:
            left[0] -= 1
            raise Aborted("idempotency_in_progress", "Still running.")
        remember_response_headers(REPLAYED if replayed else {})
        return answer

    return ask


@pytest.mark.parametrize(
    ("replayed", "whole"), [((True, True), True), ((True, False), False), ((False, True), False), ((), False)]
)
async def test_an_answer_is_replayed_only_if_each_part_was(replayed: tuple[bool, ...], whole: bool) -> None:
    with serving(CallContext()):
        assert await ask_all([part(n, replayed=one) for n, one in enumerate(replayed)]) == list(range(len(replayed)))
        assert ("x-idempotency-replayed" in response_headers()) == whole


async def test_a_part_that_another_request_does_is_waited_for() -> None:
    with serving(CallContext()):
        assert await ask_all([part(1, replayed=True, busy=2), part(2, replayed=True)]) == [1, 2]
        assert response_headers() == REPLAYED


async def test_a_refusal_is_raised_after_every_part_has_ended() -> None:
    ended = []

    async def refused() -> int:
        raise NotFound("job_not_found", "No such job.")

    async def slow() -> int:
        assert await part(2, replayed=False, busy=1)() == 2
        return 0

    async def late() -> int:
        with pytest.raises(Aborted):
            await slow()
        ended.append(True)
        return 3

    with serving(CallContext()), pytest.raises(NotFound):
        await ask_all([refused, late])
    assert ended == [True]

"""New requests in the turns of a loop, by a clock of the test's."""

from __future__ import annotations

import asyncio

from libs.http.new_requests import NewRequests

# Three requests of this many seconds fill a turn, because one begins while there is time left.
SECONDS = 0.002
A_TURN = 3


class Requests:
    """Each takes SECONDS; `begun` holds the numbers of those that have begun, in order."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.begun: list[int] = []
        self.new = NewRequests(lambda: self.seconds)

    def arrive(self, count: int) -> None:
        for number in range(len(self.begun), len(self.begun) + count):
            self.new.take(lambda number=number: self._begin(number))  # type: ignore[misc]

    def _begin(self, number: int) -> None:
        self.seconds += SECONDS
        self.begun.append(number)


async def test_few_requests_begin_as_they_arrive() -> None:
    requests = Requests()
    for _ in range(4):
        requests.arrive(A_TURN)
        assert len(requests.begun) % A_TURN == 0
        await asyncio.sleep(0)
    assert requests.begun == list(range(4 * A_TURN))


async def test_many_requests_wait_in_order_for_the_next_turns() -> None:
    requests = Requests()
    requests.arrive(4 * A_TURN)
    for turn in range(1, 5):
        assert requests.begun == list(range(turn * A_TURN))
        await asyncio.sleep(0)
    assert len(requests.begun) == 4 * A_TURN


async def test_a_request_that_comes_later_begins_after_those_that_wait() -> None:
    requests = Requests()
    requests.arrive(A_TURN + 1)
    requests.new.take(lambda: requests.begun.append(-1))
    assert requests.begun == [0, 1, 2]
    await asyncio.sleep(0)
    assert requests.begun == [0, 1, 2, 3, -1]


async def test_a_request_that_fails_keeps_no_other_from_its_turn() -> None:
    requests, failed = Requests(), list[object]()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
    try:
        requests.arrive(A_TURN)
        requests.new.take(lambda: [][0])
        requests.new.take(lambda: requests.begun.append(-1))
        for _ in range(3):
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert requests.begun == [0, 1, 2, -1]
    assert [type(error) for error in failed] == [IndexError]

"""One write that several services do: each does its part, and the answer is whole or a refusal.

Every part goes out under the request's Idempotency-Key and runs to its end, so that a repetition finds what was done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from libs.context import REPLAYED_HEADER
from libs.errors import Aborted, AppError
from libs.rpc.context import own_response_headers, remember_response_headers

M = TypeVar("M")

# Seconds between two looks at a part that another request with the same key does at this moment.
_LOOK_SECONDS = 0.05


async def ask_all(parts: Iterable[Callable[[], Awaitable[M]]]) -> list[M]:
    """The answers in the order of the parts. Raises the first refusal once all parts have ended. The answer counts as
    replayed if each part was."""
    ended = await asyncio.gather(*(_settled(part) for part in parts))
    answers: list[M] = []
    for answer, _ in ended:
        if isinstance(answer, AppError):
            raise answer
        answers.append(answer)
    if ended and all(replayed for _, replayed in ended):
        remember_response_headers({REPLAYED_HEADER: "true"})
    return answers


async def _settled(part: Callable[[], Awaitable[M]]) -> tuple[M | AppError, bool]:
    """The part's answer or refusal, and whether it is an earlier one. A part that another request with this key does
    is waited for within the request's time: otherwise two requests at once could each do a part and refuse both."""
    while True:
        with own_response_headers() as headers:
            try:
                return await part(), REPLAYED_HEADER in headers
            except Aborted as refusal:
                if refusal.reason != "idempotency_in_progress":
                    return refusal, False
            except AppError as refusal:
                return refusal, False
        await asyncio.sleep(_LOOK_SECONDS)

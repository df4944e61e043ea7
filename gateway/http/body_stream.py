"""A request's body as a stream: bounded in size, refused when it stalls or crawls. Memory holds one network chunk.

And the messages of a client-streaming call made from it: what is refused while they are sent is the call's answer.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from gateway.http.request import Request, incomplete, too_large
from libs.errors import AppError, DeadlineExceeded, Unavailable

M = TypeVar("M")
R = TypeVar("R")

# Seconds without a byte after which a body is refused. Shorter: slow mobile networks fail.
STALL_SECONDS = 10.0
# Slowest accepted body, in bytes per second, unless the route says otherwise. Lower: a slow client holds a call and its
# memory for longer.
LEAST_BYTES_PER_SECOND = 512


def read_pieces(
    request: Request[Any, Any, Any], limit: int, *, beside: int = 0, least_per_second: int = LEAST_BYTES_PER_SECOND
) -> AsyncIterator[bytes]:
    """The body as it arrives. `beside` bytes may come in addition to the `limit` that a refusal names; more is refused,
    before anything is read if its length was announced."""
    declared = request.header("content-length")
    if declared.isdigit() and int(declared) > limit + beside:
        raise too_large(limit)
    return _read_pieces(request, limit, beside, least_per_second)


async def _read_pieces(
    request: Request[Any, Any, Any], limit: int, beside: int, least_per_second: int
) -> AsyncIterator[bytes]:
    started, size = time.monotonic(), 0
    request.place.receive()
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    piece = await anext(stream, b"")
            except TimeoutError:
                raise _too_slow() from None
            except ClientDisconnect:
                raise incomplete() from None
            if not piece:
                request.place.work()
                return
            size += len(piece)
            if size > limit + beside:
                raise too_large(limit)
            elapsed = time.monotonic() - started
            if elapsed > STALL_SECONDS and size < elapsed * least_per_second:
                raise _too_slow()
            yield piece


async def send_stream(method: Callable[[AsyncIterator[M]], Awaitable[R]], messages: AsyncIterator[M]) -> R:
    """The answer of a client-streaming method. An AppError of the messages is raised as it is: gRPC itself reports only
    a cancellation."""
    refusal: list[AppError] = []

    async def watched() -> AsyncIterator[M]:
        try:
            async for message in messages:
                yield message
        except AppError as error:
            refusal.append(error)
            raise

    try:
        return await method(watched())
    except (asyncio.CancelledError, AppError):
        raise (refusal[0] if refusal else _cut_off()) from None


def _cut_off() -> BaseException:
    """Why the call ended although the messages were valid: a refusal, a cancelled task, or a service that died."""
    error, task = sys.exception(), asyncio.current_task()
    if isinstance(error, AppError) or (task is not None and task.cancelling()):
        return error or asyncio.CancelledError()
    return Unavailable("service_unavailable", "The upload was interrupted. Send it again.")


def _too_slow() -> DeadlineExceeded:
    return DeadlineExceeded("request_too_slow", "The body comes too slowly. Send it faster.")

"""A streamed response that tells when it has ended, however that comes about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

# No cache keeps a stream, and no proxy collects, compresses or changes it.
UNBUFFERED = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}


class EndedStream(StreamingResponse):
    """Bytes until the iterator ends or the client leaves; then `ended` is called."""

    def __init__(
        self, pieces: AsyncIterator[bytes], media_type: str, headers: dict[str, str], ended: Callable[[], None]
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()

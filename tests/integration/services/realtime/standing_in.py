"""A server on a free port of this machine that stands in for someone else's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self


@dataclass
class StandIn:
    """Open while its `async with` block lasts; who derives from it says what a connection gets."""

    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

"""POST requests on kept connections, of which one costs little: a load that takes half the machine measures itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Posting:
    """Requests to one address, such as http://127.0.0.1:8080, each on a connection that no other one uses meanwhile."""

    url: str
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """Status and header fields, whose names are lower case. The response has a Content-Length."""
        reader, writer = await self._connection()
        fields = {**headers, "Host": urlsplit(self.url).netloc, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        answered = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await reader.readexactly(int(answered["content-length"]))
        self._idle.append((reader, writer))
        return int(first.split()[1]), answered

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        address = urlsplit(self.url)
        return await asyncio.open_connection(address.hostname, address.port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

"""A webhook receiver: answers from a list of statuses and keeps what it was sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.integration.services.realtime.standing_in import StandIn

# Seconds that a request is open before it is answered, so that a second attempt at once is counted with it.
HOLD_SECONDS = 0.01


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver(StandIn):
    """Answers each request with the next of `answers` (raw header lines may follow the status) and the body, then with
    204; a silent one never answers."""

    answers: list[str] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    body: bytes = b""
    is_silent: bool = False
    open: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(_header(line) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Received(headers, body))
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        if self.is_silent:
            await reader.read()
        else:
            await asyncio.sleep(HOLD_SECONDS)
        content = self.body if self.answers else b""
        answer = self.answers.pop(0) if self.answers else "204 No Content"
        response = f"HTTP/1.1 {answer}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(response.encode() + content)
        self.open -= 1
        await writer.drain()
        writer.close()


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()

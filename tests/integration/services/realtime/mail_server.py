"""A stand-in for an SMTP server: plain, no extensions, answers the end of each message from a list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """`answers` to whole messages, `recipient_answers` to each RCPT; then 250. Keeps the messages it was handed."""

    answers: list[str] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> MailServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stand-in\r\n")
        while line := (await reader.readline()).decode().strip().upper():
            if line == "DATA":
                writer.write(b"354 go on\r\n")
                self.messages.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                answer = self.answers.pop(0) if self.answers else "250 kept"
            elif line.startswith("RCPT") and self.recipient_answers:
                answer = self.recipient_answers.pop(0)
            else:
                answer = "221 bye" if line == "QUIT" else "250 ok"
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            if line == "QUIT":
                break
        writer.close()

"""A stand-in for an SMTP server: plain, no extensions, refuses what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.integration.services.realtime.standing_in import StandIn


@dataclass
class MailServer(StandIn):
    """Answers to whole messages from `answers`, to the RCPT of an address from `recipient_answers`; then 250. Keeps the
    messages it was handed."""

    answers: list[str] = field(default_factory=list)
    recipient_answers: Mapping[str, list[str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stand-in\r\n")
        while line := (await reader.readline()).decode().strip():
            answer = "221 bye" if line.upper() == "QUIT" else self._recipient(line) or "250 ok"
            if line.upper() == "DATA":
                writer.write(b"354 go on\r\n")
                self.messages.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                answer = self.answers.pop(0) if self.answers else "250 kept"
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            if line.upper() == "QUIT":
                break
        writer.close()

    def _recipient(self, line: str) -> str:
        answers = [answers for address, answers in self.recipient_answers.items() if f"<{address}>" in line]
        return answers[0].pop(0) if line.upper().startswith("RCPT") and answers and answers[0] else ""

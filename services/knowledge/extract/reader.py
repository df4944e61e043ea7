"""The caller's side of extraction: a document goes into the sandbox, its chunks come back to a file on disk.

The worker never parses a document and never holds its text: a hostile file can at worst end its own process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from libs.sandbox import Crashed, LimitExceeded, Limits, Refused, Sandbox, Usage, frames
from services.knowledge.config import KnowledgeSettings
from services.knowledge.domain.chunking import ChunkDraft
from services.knowledge.domain.media import PICTURES, MediaType
from services.knowledge.extract.refusal import SCANNED, SENTENCES, Refusal

# Pages that were read, of how many, and whether text is recognized in them.
OnPages = Callable[[int, int, bool], Awaitable[None]]

_DOCUMENT = "services.knowledge.extract.document"
_RECOGNITION = "services.knowledge.extract.recognition"
_READ, _READ_SCANNED = f"{_DOCUMENT}:read_document", f"{_DOCUMENT}:read_scanned"
_LIMIT_REASONS = {
    "memory": "extraction_memory", "cpu": "extraction_timeout", "time": "extraction_timeout",
    "output": "document_text_too_long",
}  # fmt: skip
# Texts that are read at a time: each is bound by the processor and may take its whole memory limit.
_TEXTS_AT_ONCE = 2
# Characters of a language's code.
_LONGEST_CODE = 3
# Native libraries end themselves when an allocation fails.
_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGTRAP, signal.SIGILL)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one document may cost while it is read."""

    memory_mb: int = 256
    cpu_seconds: int = 20
    wall_seconds: float = 25.0
    characters: int = 8_000_000
    chunks: int = 10_000

    @classmethod
    def of(cls, settings: KnowledgeSettings) -> Budget:
        return cls(
            settings.extract_memory_mib, settings.extract_cpu_seconds, settings.extract_wall_seconds,
            settings.document_characters, settings.document_chunks,
        )  # fmt: skip

    @classmethod
    def of_scans(cls, settings: KnowledgeSettings) -> Budget:
        return replace(
            cls.of(settings), memory_mb=settings.ocr_memory_mib, cpu_seconds=settings.ocr_cpu_seconds,
            wall_seconds=settings.ocr_wall_seconds,
        )  # fmt: skip

    def limits(self) -> Limits:
        """A chunk's text takes up to four bytes a character, and chunks repeat sentences."""
        return Limits(self.memory_mb, self.cpu_seconds, self.wall_seconds, 8 * self.characters)


@dataclass(frozen=True, slots=True)
class Read:
    """What a document had: pages (0 where its format has none), chunks, the language of its text ('' unknown), and
    whether text was recognized in pictures."""

    pages: int
    chunks: int
    language: str
    scanned: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A sandbox that reads documents, within the budget of one."""

    sandbox: Sandbox
    budget: Budget


def document_sandbox() -> Sandbox:
    return Sandbox((_DOCUMENT,), (f"{_DOCUMENT}:warm",))


def scan_sandbox() -> Sandbox:
    """Its template holds the models of recognition (300 MB), from the first scan on."""
    return Sandbox((_DOCUMENT, _RECOGNITION), (f"{_DOCUMENT}:warm", f"{_RECOGNITION}:load"))


class RecognitionBusy(Exception):
    """The document is a scan, and another scan is being recognized."""


class DocumentReader:
    """`scans` recognizes text in pictures; None where that is not installed."""

    def __init__(self, texts: Reading, scans: Reading | None = None) -> None:
        self._texts = texts
        self._scans = scans
        self._reading = asyncio.Semaphore(_TEXTS_AT_ONCE)
        self._recognizing = asyncio.Lock()

    @property
    def is_recognizing(self) -> bool:
        return self._recognizing.locked()

    async def read(self, source: BinaryIO, media: MediaType, target: BinaryIO, on_pages: OnPages, usage: Usage) -> Read:
        """Reads `source` in a sandbox and leaves its chunks in `target`. Raises Refusal for what the document is, and
        RecognitionBusy: recognition takes minutes, so that a caller who waited would hold what others need."""
        if media not in PICTURES:
            leave_scans = self._scans is not None
            try:
                async with self._reading:
                    return await self._read(self._texts, _READ, source, media, target, on_pages, usage, leave_scans)
            except Refusal as refusal:
                if refusal.reason != SCANNED:
                    raise
        if self._scans is None:  # it was uploaded while recognition was installed
            raise Refusal("no_text_found")
        if self.is_recognizing:
            raise RecognitionBusy
        source.seek(0)
        async with self._recognizing:
            return await self._read(self._scans, _READ_SCANNED, source, media, target, on_pages, usage)

    async def _read(
        self, by: Reading, function: str, source: BinaryIO, media: MediaType, target: BinaryIO, on_pages: OnPages,
        usage: Usage, *more: bool,
    ) -> Read:  # fmt: skip
        pages = chunks = 0
        language = ""
        scanned = function == _READ_SCANNED
        values = by.sandbox.stream(
            function, media.name, by.budget.characters, by.budget.chunks, *more,
            limits=by.budget.limits(), attachment=source.fileno(), usage=usage,
        )  # fmt: skip
        try:
            async with aclosing(values):
                async for value in values:
                    match value:
                        case ["pages", int(read), int(total)]:
                            pages = total
                            await on_pages(read, total, scanned)
                        case ["language", str(code)] if len(code) <= _LONGEST_CODE:
                            language = code
                        case ["chunks", list(batch)]:
                            chunks += len(batch)
                            target.write(frames.pack(batch))
                        case _:
                            raise Refusal("extraction_crashed")
        except LimitExceeded as error:
            raise Refusal(_LIMIT_REASONS[error.limit]) from None
        except Refused as error:
            known = error.reason in SENTENCES or (error.reason == SCANNED and not scanned)
            raise Refusal(error.reason if known else "extraction_crashed") from None
        except Crashed as error:
            memory = error.signal in _OUT_OF_MEMORY
            raise Refusal("extraction_memory" if memory else "extraction_crashed") from None
        if not chunks:
            raise Refusal("no_text_found")
        return Read(pages, chunks, language, scanned)


def read_chunks(source: BinaryIO) -> Iterator[list[ChunkDraft]]:
    """The batches that `read` left, one at a time. They come from a process that read hostile bytes, so each value is
    taken by its form."""
    while True:
        try:
            (batch,) = frames.read(source)
        except EOFError:
            return
        yield [_draft(fields) for fields in batch]


def _draft(fields: list[Any]) -> ChunkDraft:
    match fields:
        case [int(position), str(text), str(heading), int(page), int(tokens), bool(opens), int(start), int(end)]:
            numbers = (position, page, tokens, start, end)
            if all(0 <= number < 1 << 31 for number in numbers) and "\x00" not in text + heading:
                return ChunkDraft(position, text, heading, page, tokens, opens, start, end)
    raise Refusal("extraction_crashed")

"""Builds an entry's index: read the document in a sandbox, embed its chunks, stage; the caller swaps.

Holds one batch in memory whatever the document's size. Nothing it writes is visible before the swap.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

from libs.blobs import BlobStore
from libs.ids import new_id
from libs.sandbox import Usage
from services.knowledge.domain.chunking import ChunkDraft, passage
from services.knowledge.domain.entry import BuiltIndex, Document, Entry, wanted_language
from services.knowledge.domain.media import BY_NAME, MARKDOWN
from services.knowledge.embed.embedder import Embedder
from services.knowledge.extract.reader import DocumentReader, Read, RecognitionBusy, read_chunks
from services.knowledge.storage.chunks import Build, Chunks, fingerprint
from services.knowledge.storage.vectors import VectorSupport, literal

OnProgress = Callable[["Progress"], Awaitable[None]]

# Percent of the progress bar that extraction takes, of texts and of scans.
_EXTRACTION_SHARE, _RECOGNITION_SHARE = 15, 80
# Builds that are remembered as waiting scans. One that is forgotten is fetched and looked at once more.
_REMEMBERED_SCANS = 600
# Waits, and seconds at least, after which a scan that did not come again is forgotten: it is gone, or another worker
# has it. More than one wait, because a try that is due waits for a free place too.
_WAITS_UNTIL_FORGOTTEN, _FEWEST_SECONDS_UNTIL_FORGOTTEN = 2, 60.0
# Seconds before a waiting scan is tried again: this, or one for each scan that waits, so that a worker tries about one
# a second however many wait.
_FEWEST_SECONDS_TO_RECOGNITION = 2.0
# Batches that are embedded while one is written. More: more memory, and no processor is idle already.
_BATCHES_AHEAD = 3
# Vectors that a build remembers, so that repeated passages are embedded once.
_REMEMBERED_VECTORS = 512


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` of the whole; pages count as processed when they are embedded, not when they are read."""

    percent: int
    total_pages: int
    processed_pages: int


class Superseded(Exception):
    """The entry is gone or wants another build by now."""


class WaitingScans:
    """Builds that found recognition busy here and come again, with the second of their last try, oldest first."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tried: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, build: str) -> bool:
        return build in self._tried

    @property
    def seconds_to_next_try(self) -> float:
        return max(_FEWEST_SECONDS_TO_RECOGNITION, float(len(self._tried)))

    def add(self, build: str) -> None:
        now = self._tried[build] = self._monotonic()
        self._tried.move_to_end(build)
        patience = max(_FEWEST_SECONDS_UNTIL_FORGOTTEN, _WAITS_UNTIL_FORGOTTEN * self.seconds_to_next_try)
        while len(self._tried) > _REMEMBERED_SCANS or now - next(iter(self._tried.values())) > patience:
            self._tried.popitem(last=False)

    def remove(self, build: str) -> None:
        self._tried.pop(build, None)


class Indexing:
    def __init__(
        self, blobs: BlobStore, chunks: Chunks, embedder: Embedder, vectors: VectorSupport, reader: DocumentReader
    ) -> None:
        self._blobs = blobs
        self._chunks = chunks
        self._embedder = embedder
        self._vectors = vectors
        self._reader = reader
        self._waiting_scans = WaitingScans()

    @property
    def seconds_to_recognition(self) -> float:
        return self._waiting_scans.seconds_to_next_try

    async def build(
        self,
        entry: Entry,
        document: Document | None,
        on_progress: OnProgress,
        unwanted: Callable[[], bool],
        usage: Usage,
    ) -> tuple[Build, BuiltIndex]:
        """Stages a whole new index; `usage` gains the processor time. Raises Refusal for what the document is,
        RecognitionBusy, Superseded, or whatever keeps it from reading and writing now."""
        if entry.wanted_build in self._waiting_scans and self._reader.is_recognizing:
            self._waiting_scans.add(entry.wanted_build)
            raise RecognitionBusy
        build = Build(entry.org_id, entry.id, entry.wanted_build, f"{entry.wanted_build}.{new_id('try')}")
        try:
            with tempfile.TemporaryFile(prefix="knowledge-") as target:
                read = await self._read(entry, document, target, on_progress, usage)
                target.seek(0)
                language = wanted_language(entry, read.language)
                before = self._chunks if entry.index_id else None
                return build, await self._stage(build, before, target, read, language, on_progress, unwanted, usage)
        except BaseException:
            await asyncio.shield(self._chunks.drop_attempts(build))
            raise

    async def _stage(
        self,
        build: Build,
        before: Chunks | None,
        source: BinaryIO,
        read: Read,
        language: str,
        on_progress: OnProgress,
        unwanted: Callable[[], bool],
        usage: Usage,
    ) -> BuiltIndex:
        with_vectors = await self._vectors.available(build.org_id)
        embedding = _Embedding(self._embedder, before, build, usage) if with_vectors else None
        staged, begun = 0, _share(read.scanned)
        async with aclosing(_with_vectors(read_chunks(source), embedding)) as batches:
            async for batch, vectors in batches:
                if unwanted() or not await self._chunks.stage(build, language, batch, vectors):
                    raise Superseded
                staged += len(batch)
                percent = begun + (99 - begun) * staged // max(1, read.chunks)
                await on_progress(Progress(percent, read.pages, min(read.pages, batch[-1].page)))
        model = self._embedder.model if with_vectors else ""
        return BuiltIndex(build.index_id, staged, read.pages, model, language, read.language)

    async def _read(
        self, entry: Entry, document: Document | None, target: BinaryIO, on_progress: OnProgress, usage: Usage
    ) -> Read:
        async def on_pages(read: int, total: int, scanned: bool) -> None:
            await on_progress(Progress(read * _share(scanned) // max(1, total), total, 0))

        with tempfile.TemporaryFile(prefix="knowledge-") as source:
            await self._fetch(entry, document, source)
            source.flush()
            source.seek(0)
            media = BY_NAME[document.media_type] if document else MARKDOWN
            self._waiting_scans.remove(entry.wanted_build)
            try:
                return await self._reader.read(source, media, target, on_pages, usage)
            except RecognitionBusy:
                self._waiting_scans.add(entry.wanted_build)
                raise

    async def _fetch(self, entry: Entry, document: Document | None, source: BinaryIO) -> None:
        if document is None:
            source.write((entry.content or "").encode())
            return
        async for piece in self._blobs.stream(document.blob_key):
            source.write(piece)


def _share(scanned: bool) -> int:
    return _RECOGNITION_SHARE if scanned else _EXTRACTION_SHARE


async def _with_vectors(
    batches: Iterator[list[ChunkDraft]], embedding: _Embedding | None
) -> AsyncGenerator[tuple[list[ChunkDraft], list[str] | None]]:
    """Each batch with its vectors, in order; the next ones are embedded while the caller writes one."""
    pending: deque[tuple[list[ChunkDraft], asyncio.Task[list[str]]]] = deque()
    try:
        for batch in batches:
            if embedding is None:
                yield batch, None
                continue
            pending.append((batch, asyncio.create_task(embedding.vectors([passage(draft) for draft in batch]))))
            if len(pending) > _BATCHES_AHEAD:
                first, vectors = pending.popleft()
                yield first, await vectors
        while pending:
            first, vectors = pending.popleft()
            yield first, await vectors
    finally:
        for _, vectors in pending:
            vectors.cancel()
        await asyncio.gather(*(vectors for _, vectors in pending), return_exceptions=True)


class _Embedding:
    """Vectors of one document's passages. A passage that repeats, or stands in the entry's index, is not computed.
    `before` has that index, where there is one."""

    def __init__(self, embedder: Embedder, before: Chunks | None, build: Build, usage: Usage) -> None:
        self._embedder = embedder
        self._before = before
        self._build = build
        self._usage = usage
        self._known: OrderedDict[str, str] = OrderedDict()

    async def vectors(self, passages: Sequence[str]) -> list[str]:
        names = [fingerprint(text) for text in passages]
        unknown = {name: text for name, text in zip(names, passages, strict=True) if name not in self._known}
        found = {name: self._known[name] for name in names if name in self._known}
        if unknown and self._before is not None:
            found |= await self._before.vectors_of(self._build, self._embedder.model, list(unknown))
        if left := {name: text for name, text in unknown.items() if name not in found}:
            computed = await self._embedder.embed(list(left.values()), self._usage)
            found |= {name: literal(vector) for name, vector in zip(left, computed, strict=True)}
        self._known |= found
        while len(self._known) > _REMEMBERED_VECTORS:
            self._known.popitem(last=False)
        return [found[name] for name in names]

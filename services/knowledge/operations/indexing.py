"""Builds an entry's index: read the document in a child process, cut, embed, stage; the caller swaps.

Holds one batch in memory whatever the document's size. Nothing it writes is visible before the swap.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from libs.blobs import BlobStore
from libs.ids import new_id
from services.knowledge.domain.chunking import ChunkDraft, cut_into_chunks, passage
from services.knowledge.domain.entry import BuiltIndex, Document, Entry
from services.knowledge.domain.media import BY_NAME, MARKDOWN
from services.knowledge.embed.embedder import Embedder
from services.knowledge.embed.tokens import Tokens
from services.knowledge.extract.process import ExtractionLimits, Interrupted, extract, read_extracted
from services.knowledge.extract.refusal import Refusal
from services.knowledge.storage.chunks import Build, Chunks
from services.knowledge.storage.vectors import VectorSupport

OnProgress = Callable[["Progress"], Awaitable[None]]

_BATCH = 8
_EXTRACTION_SHARE = 15
# Two at a time: extraction is bound by the processor, and each may take its whole memory limit.
_EXTRACTIONS = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` of the whole; pages count as processed when they are embedded, not when they are read."""

    percent: int
    total_pages: int
    processed_pages: int


class Superseded(Exception):
    """The entry is gone or wants another build by now."""


class Indexing:
    def __init__(
        self, blobs: BlobStore, chunks: Chunks, embedder: Embedder, vectors: VectorSupport, limits: ExtractionLimits
    ) -> None:
        self._blobs = blobs
        self._chunks = chunks
        self._embedder = embedder
        self._vectors = vectors
        self._limits = limits
        self._tokens = Tokens()
        self._extracting = asyncio.Semaphore(_EXTRACTIONS)

    async def build(
        self, entry: Entry, document: Document | None, on_progress: OnProgress, unwanted: Callable[[], bool]
    ) -> tuple[Build, BuiltIndex]:
        """Stages a whole new index. Raises Refusal for what the document is, Superseded, or whatever keeps it from
        reading and writing now."""
        build = Build(entry.org_id, entry.id, entry.wanted_build, f"{entry.wanted_build}.{new_id('try')}")
        await self._chunks.drop_attempts(build)
        with tempfile.TemporaryDirectory(prefix="knowledge-") as folder:
            try:
                return build, await self._build(build, entry, document, Path(folder), on_progress, unwanted)
            except BaseException:
                await asyncio.shield(self._chunks.drop_attempts(build))
                raise

    async def _build(
        self,
        build: Build,
        entry: Entry,
        document: Document | None,
        folder: Path,
        on_progress: OnProgress,
        unwanted: Callable[[], bool],
    ) -> BuiltIndex:
        target = folder / "blocks"
        pages = await self._extract(entry, document, folder, target, on_progress, unwanted)
        with_vectors = await self._vectors.available(build.org_id)
        total = max(1, target.stat().st_size)
        count, text_bytes = 0, 0
        drafts = cut_into_chunks(read_extracted(target), self._tokens.count)
        while batch := await asyncio.to_thread(_take, drafts):
            if unwanted():
                raise Superseded
            vectors = await self._embedder.embed([passage(draft) for draft in batch]) if with_vectors else None
            if not await self._chunks.stage(build, batch, vectors):
                raise Superseded
            count += len(batch)
            text_bytes += sum(len(draft.text.encode()) for draft in batch)
            share = min(1.0, text_bytes / total)
            percent = _EXTRACTION_SHARE + int(share * (99 - _EXTRACTION_SHARE))
            await on_progress(Progress(percent, pages, min(pages, batch[-1].page)))
        if not count:
            raise Refusal("no_text_found")
        return BuiltIndex(build.index_id, count, pages, self._embedder.model if with_vectors else "")

    async def _extract(
        self,
        entry: Entry,
        document: Document | None,
        folder: Path,
        target: Path,
        on_progress: OnProgress,
        unwanted: Callable[[], bool],
    ) -> int:
        source = folder / "source"
        await self._fetch(entry, document, source)

        async def on_pages(read: int, total: int) -> None:
            await on_progress(Progress(read * _EXTRACTION_SHARE // max(1, total), total, 0))

        async with self._extracting:
            try:
                media = BY_NAME[document.media_type] if document else MARKDOWN
                return await extract(source, media, target, self._limits, on_pages, unwanted)
            except Interrupted:
                raise Superseded from None

    async def _fetch(self, entry: Entry, document: Document | None, source: Path) -> None:
        with source.open("wb") as file:
            if document is None:
                file.write((entry.content or "").encode())
                return
            async for piece in self._blobs.stream(document.blob_key):
                file.write(piece)


def _take(drafts: Iterator[ChunkDraft]) -> list[ChunkDraft]:
    return list(islice(drafts, _BATCH))

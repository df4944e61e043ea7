"""Brings a source's entries to what its address says now: pages that changed are read again, pages that are gone are
deleted, all others are left alone.

A page is one transaction; a refresh that is interrupted goes on where it was, because unchanged pages cost a request.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

from libs.errors import AppError, FailedPrecondition, NotFound
from libs.postgres import Connection, Database
from services.knowledge.domain.entry import Described, Entry
from services.knowledge.domain.source import (
    Kind,
    Source,
    SourcePage,
    file_name_of,
    pages_of_sitemap,
    title_of,
)
from services.knowledge.domain.validation import TITLE_MAX
from services.knowledge.operations.fetching import Fetched, Fetching
from services.knowledge.operations.taking import Taking
from services.knowledge.operations.upload import Uploads
from services.knowledge.storage.entries import Entries
from services.knowledge.storage.sources import Sources

OnShare = Callable[[int], Awaitable[None]]


class Syncing:
    def __init__(
        self, database: Database, sources: Sources, entries: Entries, uploads: Uploads, taking: Taking,
        fetching: Fetching,
    ) -> None:  # fmt: skip
        self._database = database
        self._sources = sources
        self._entries = entries
        self._uploads = uploads
        self._taking = taking
        self._fetching = fetching

    async def sync(self, source: Source, on_share: OnShare) -> tuple[int, bool]:
        """The number of pages, and whether any changed. Raises what kept the first page from being read, after all
        others were: one page that fails leaves the source stale, not the rest of it."""
        known = await self._sources.pages(source)
        wanted = [source.url] if source.kind is Kind.URL else await self._listed(source)
        changed, failure, there = False, None, 0
        for number, url in enumerate(wanted, 1):
            try:
                alive, different = await self._page(source, url, known.get(url))
                there += alive
                changed = changed or different
            except AppError as error:
                failure = failure or error
                there += url in known
            await on_share(100 * number // (len(wanted) + 1))
        for url in known.keys() - set(wanted):
            changed = True
            await self._drop(source, known[url])
        if failure is not None:
            raise failure
        return there, changed

    async def _listed(self, source: Source) -> list[str]:
        fetched = await self._fetching.fetch(source.url)
        found = pages_of_sitemap(fetched.text, source.url)
        if not found:
            raise FailedPrecondition("sitemap_empty", "The sitemap lists no page of its own host.")
        return found

    async def _page(self, source: Source, url: str, known: SourcePage | None) -> tuple[bool, bool]:
        """Whether the page is there, and whether it changed."""
        fetched = await self._fetching.fetch(url, known.etag if known else "", known.last_modified if known else "")
        if fetched.gone:
            if known is None:
                raise FailedPrecondition("source_gone", "There is no page at this address.")
            await self._drop(source, known)
            return False, True
        if fetched.content is None:
            return True, False
        sha256 = hashlib.sha256(fetched.content).hexdigest()
        if known is not None and known.sha256 == sha256:
            async with self._database.transaction(source.org_id) as conn:
                page = SourcePage(url, known.entry_id, fetched.etag, fetched.last_modified, sha256)
                await self._sources.put_page(conn, source, page)
            return True, False
        await self._take(source, url, known, fetched, sha256)
        return True, True

    async def _take(self, source: Source, url: str, known: SourcePage | None, fetched: Fetched, sha256: str) -> None:
        content = fetched.content or b""
        upload = await self._uploads.receive(
            source.org_id, file_name_of(url, fetched.media_type), fetched.media_type, _pieces(content)
        )
        title = (source.title if source.kind is Kind.URL else "") or title_of(url, fetched.text)
        described = Described(title[:TITLE_MAX], source.category, source.tags, url)
        try:
            async with self._database.transaction(source.org_id) as conn:
                await self._sources.lock(conn, source.org_id, source.id)
                entry = await self._known_entry(conn, source, known)
                if entry is None:
                    taken = await self._taking.new(conn, source.org_id, described, upload)
                else:
                    taken = await self._taking.into(conn, entry, upload)
                page = SourcePage(url, taken.entry.id, fetched.etag, fetched.last_modified, sha256)
                await self._sources.put_page(conn, source, page)
        finally:
            await self._uploads.forget_unless_kept(source.org_id, upload)

    async def _known_entry(self, conn: Connection, source: Source, known: SourcePage | None) -> Entry | None:
        try:
            return await self._entries.lock(conn, source.org_id, known.entry_id) if known else None
        except NotFound:
            return None

    async def _drop(self, source: Source, page: SourcePage) -> None:
        async with self._database.transaction(source.org_id) as conn:
            await self._taking.drop(conn, source.org_id, page.entry_id)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content

"""Sources and their pages as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.knowledge.domain.source import Kind, Source, SourcePage, State

_NAMES = (
    "org_id", "id", "kind", "url", "title", "category", "tags", "refresh_seconds", "status", "error_code",
    "error_message", "page_count", "stale_since", "checked_at", "changed_at", "next_refresh_at", "version",
    "created_at", "updated_at",
)  # fmt: skip
_COLUMNS = ", ".join(f"s.{name}" for name in _NAMES)
_WRITTEN = _NAMES[2:]
_PLACES = ", ".join(f"${number}" for number in range(3, 3 + len(_WRITTEN)))
SOURCE_LIST = ListRules(sorts={"createdAt": "s.created_at"})
_LISTING = Listing(_COLUMNS, "source s", SOURCE_LIST, tie="s.id", org="s.org_id", created="s.created_at")
_GET = f"select {_COLUMNS} from source s where s.org_id = o.org and s.id = $2"
_LOCK = f"select {_COLUMNS} from source s where s.org_id = $1 and s.id = $2 for update"
_INSERT = f"insert into source (org_id, id, {', '.join(_WRITTEN)}) values ($1, $2, {_PLACES})"
_UPDATE = f"update source set ({', '.join(_WRITTEN)}) = ({_PLACES}) where org_id = $1 and id = $2"
_PAGES = """
select p.url, p.entry_id, p.etag, p.last_modified, p.sha256
from source_page p where p.org_id = o.org and p.source_id = $2 order by p.url"""
_PUT_PAGE = """
insert into source_page (org_id, source_id, url, entry_id, etag, last_modified, sha256)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (org_id, source_id, url) do update set (entry_id, etag, last_modified, sha256)
    = (excluded.entry_id, excluded.etag, excluded.last_modified, excluded.sha256)"""
_ENTRIES = "select p.entry_id from source_page p where p.org_id = $1 and p.source_id = $2 order by p.entry_id"
_DUE = "select s.org_id, s.id from source s where s.next_refresh_at <= $1 order by s.next_refresh_at limit $2"


@dataclass(frozen=True, slots=True)
class SourceFilter:
    status: State | None = None


class Sources:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str, source_id: str) -> Source:
        return _source(await self._database.fetchrow(org_id, _GET, source_id) if is_id(source_id, "src") else None)

    async def page(self, org_id: str, request: PageRequest, wanted: SourceFilter) -> Page[Source]:
        filters: list[tuple[str, Any]] = [("s.status = {}", wanted.status.value)] if wanted.status else []
        page = await fetch_page(self._database, org_id, _LISTING, request, filters, self._cursors, ("sources",))
        return page.map(_source)

    async def pages(self, source: Source) -> dict[str, SourcePage]:
        """By address."""
        rows = await self._database.fetch(source.org_id, _PAGES, source.id)
        return {row["url"]: SourcePage(**{name: row[name] for name in SourcePage.__slots__}) for row in rows}

    async def lock(self, conn: Connection, org_id: str, source_id: str) -> Source:
        return _source(await conn.fetchrow(_LOCK, org_id, source_id) if is_id(source_id, "src") else None)

    async def add(self, conn: Connection, source: Source) -> None:
        await conn.execute(_INSERT, source.org_id, source.id, *_values(source))

    async def save(self, conn: Connection, source: Source) -> None:
        await conn.execute(_UPDATE, source.org_id, source.id, *_values(source))

    async def put_page(self, conn: Connection, source: Source, page: SourcePage) -> None:
        await conn.execute(
            _PUT_PAGE, source.org_id, source.id, page.url, page.entry_id, page.etag, page.last_modified, page.sha256
        )

    async def entries(self, conn: Connection, source: Source) -> list[str]:
        """The entries of its pages, in the order in which they are to be locked."""
        return [row["entry_id"] for row in await conn.fetch(_ENTRIES, source.org_id, source.id)]

    async def remove(self, conn: Connection, source: Source) -> None:
        await conn.execute("delete from source where org_id = $1 and id = $2", source.org_id, source.id)

    async def due(self, conn: Connection, now: datetime, most: int) -> list[tuple[str, str]]:
        """(organization, source) of those whose time has come. Of every organization."""
        return [(row["org_id"], row["id"]) for row in await conn.fetch(_DUE, now, most)]


def _values(source: Source) -> tuple[Any, ...]:
    plain = {"kind": source.kind.value, "status": source.status.value, "tags": list(source.tags)}
    return tuple(plain.get(name, getattr(source, name)) for name in _WRITTEN)


def _source(row: Record | None) -> Source:
    if row is None:
        raise NotFound("source_not_found", "No such source.")
    values = {name: row[name] for name in _NAMES}
    plain = {"kind": Kind(row["kind"]), "status": State(row["status"]), "tags": tuple(row["tags"])}
    return Source(**values | plain)

"""One list merged from the lists of several services, newest first, in both paging modes.

Rows sort by creation, as each service sorts them: by the UUIDv7 behind the service's name in their id. Each service
pages its rows by its own cursor, and is asked first for a share of the page: a row that is not shown costs as much as
one that is. The merged cursor holds the last row shown and, for each service, the cursor of the page from which to
continue. Rows up to the last one shown are skipped, so rows that appear meanwhile shift nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from echosenseix.common.v1 import common_pb2
from gateway.http.lists import ListAnswer
from libs.paging import MAX_PAGED_ROWS, CursorCodec, ListRules, check_page, check_sort, invalid_cursor

# Names the order inside cursors: a change of the order changes this word, and cursors of the old order end.
BIRTH = "birth in id, id"
RULES = ListRules(sorts={"createdAt": BIRTH})
# Even shares of a page that each service is asked for first. With one, chance alone makes most pages ask again.
SHARE = 2


class Row(Protocol):
    """A row of a merged list."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)
Key = tuple[str, str]
FetchPage = Callable[[common_pb2.PageRequest], Awaitable[tuple[list[R], common_pb2.PageInfo]]]


class ShownRow(NamedTuple):
    """A row as its service shows it."""

    id: str
    shown: Any


class _Id(msgspec.Struct):
    id: str


_ids = msgspec.json.Decoder(list[_Id])
_texts = msgspec.json.Decoder(list[msgspec.Raw])


def rows_of_json(json_rows: bytes) -> list[ShownRow]:
    """The rows of PageInfo.json_rows; each stays the text that it is."""
    ids, texts = _ids.decode(json_rows), _texts.decode(json_rows)
    return [ShownRow(row.id, text) for row, text in zip(ids, texts, strict=True)]


@dataclass(slots=True)
class Head(Generic[R]):
    """A service's next row, and the cursor of the page it was read from."""

    row: R
    key: Key
    cursor: str


class _Source(Generic[R]):
    """One service's rows from a cursor on, read page by page, without those up to `after`."""

    def __init__(
        self, fetch: FetchPage[R], request: common_pb2.PageRequest, share: int, cursor: str, after: Key | None
    ) -> None:
        self._fetch = fetch
        self._request = request
        self._share = share
        self._after = after
        self.info: common_pb2.PageInfo | None = None
        self.head: Head[R] | None = None
        self._rows = self._read(cursor)

    async def advance(self) -> None:
        """Move the head to the next row; None at the end."""
        self.head = await anext(self._rows, None)

    async def _read(self, cursor: str) -> AsyncIterator[Head[R]]:
        ascending = self._request.order == "asc"
        request = common_pb2.PageRequest()
        request.CopyFrom(self._request)
        request.limit = self._share
        while True:
            request.cursor = cursor
            rows, info = await self._fetch(request)
            self.info = self.info or info
            for row in rows:
                key = _key(row)
                if self._after is None or (key > self._after if ascending else key < self._after):
                    yield Head(row, key, cursor)
            if not info.next_cursor:
                return
            cursor = info.next_cursor
            # This service has more than its share of the page.
            request.limit = self._request.limit


async def merged_page(
    asked: common_pb2.PageRequest,
    fetchers: Mapping[str, FetchPage[R]],
    codec: CursorCodec,
    scope: str,
    shown: Callable[[R], Any],
    rules: ListRules = RULES,
) -> ListAnswer:
    """The requested page over all fetchers. `scope` binds cursors to organization and filter; `rules` give the list's
    own name for the one sort."""
    cursor_mode = asked.cursor_mode or bool(asked.cursor)
    page, limit = check_page(asked.page, asked.limit, cursor_mode, rules)
    sort, descending = check_sort(asked.sort, asked.order, rules)
    scope = f"{scope}|{sort}|{rules.sorts[sort]}|{'desc' if descending else 'asc'}"
    after, cursors = _decode(codec, scope, asked.cursor)
    request = _service_request(asked, limit, descending, counts=asked.include_total or not cursor_mode)
    share = min(limit, -(-limit * SHARE // max(1, len(fetchers))))
    sources = {
        name: _Source(fetch, request, share, cursors.get(name) or "", after)
        for name, fetch in fetchers.items()
        if after is None or name in cursors
    }
    await asyncio.gather(*(source.advance() for source in sources.values()))
    await _take(sources, (page - 1) * limit, descending)
    rows, last = await _take(sources, limit, descending)
    following = {name: source.head.cursor for name, source in sources.items() if source.head is not None}
    total, is_estimate = _total(sources, request.include_total)
    return ListAnswer(
        data=[shown(row) for row in rows],
        page=None if cursor_mode else page,
        limit=limit,
        total=total,
        total_pages=-(-total // limit) if total is not None and not cursor_mode else None,
        total_is_estimate=is_estimate,
        has_more=bool(following),
        next_cursor=_encode(codec, scope, last, following) if following and last else None,
    )


def _service_request(
    asked: common_pb2.PageRequest, limit: int, descending: bool, *, counts: bool
) -> common_pb2.PageRequest:
    request = common_pb2.PageRequest()
    request.CopyFrom(asked)
    request.page, request.limit, request.cursor_mode, request.include_total = 0, limit, True, counts
    request.order = "desc" if descending else "asc"
    return request


async def _take(sources: Mapping[str, _Source[R]], count: int, descending: bool) -> tuple[list[R], Key | None]:
    """The next rows over all sources, and the key of the last of them."""
    rows: list[R] = []
    last: Key | None = None
    choose = max if descending else min
    while len(rows) < min(count, MAX_PAGED_ROWS):
        live = [source for source in sources.values() if source.head is not None]
        if not live:
            break
        source = choose(live, key=_head_key)
        if source.head is not None:
            rows.append(source.head.row)
            last = source.head.key
        await source.advance()
    return rows, last


def _head_key(source: _Source[Any]) -> Key:
    if source.head is None:
        raise AssertionError("only sources with a row are compared")
    return source.head.key


def _key(row: Row) -> Key:
    return row.id.rpartition("_")[2], row.id


def _total(sources: Mapping[str, _Source[Any]], counted: bool) -> tuple[int | None, bool]:
    infos = [source.info for source in sources.values() if source.info is not None]
    if not counted or any(not info.HasField("total") for info in infos):
        return None, False
    return sum(info.total for info in infos), any(info.total_is_estimate for info in infos)


def _encode(codec: CursorCodec, scope: str, last: Key, cursors: Mapping[str, str]) -> str:
    return codec.encode(scope, (*last, json.dumps(cursors, separators=(",", ":"))))


def _decode(codec: CursorCodec, scope: str, cursor: str) -> tuple[Key | None, dict[str, str]]:
    if not cursor:
        return None, {}
    values = codec.decode(scope, cursor)
    if len(values) != 3 or not all(isinstance(value, str) for value in values):
        raise invalid_cursor()
    birth, row_id, cursors = values
    return (birth, row_id), json.loads(cursors)

"""Lists: iterate over all rows, or over pages, by cursor, so that rows that come or go meanwhile shift nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypedDict, TypeVar

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """The envelope of every list."""

    data: list[T]
    page: int | None
    limit: int
    total: int | None
    totalPages: int | None
    totalIsEstimate: bool
    hasMore: bool
    nextCursor: str | None


class Rows(Generic[T]):
    """The rows of a list. Nothing is asked before you iterate; each iteration begins anew."""

    def __init__(self, ask: Callable[[dict[str, Any]], Page[T]], cursor: str, begin: str) -> None:
        self._ask = ask
        self._cursor = cursor
        self._begin = begin

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page["data"]

    def pages(self) -> Iterator[Page[T]]:
        """One page after the other."""
        cursor: str | None = self._begin
        while cursor is not None:
            page = self._ask({self._cursor: cursor})
            yield page
            cursor = page["nextCursor"]

    def first_page(self, page: int = 1) -> Page[T]:
        """One page by number, with the total where the list counts it."""
        return self._ask({"page": page} if self._cursor == "cursor" else {self._cursor: self._begin})


class AsyncRows(Generic[T]):
    """The same for an AsyncClient: `async for row in …`."""

    def __init__(self, ask: Callable[[dict[str, Any]], Awaitable[Page[T]]], cursor: str, begin: str) -> None:
        self._ask = ask
        self._cursor = cursor
        self._begin = begin

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for row in page["data"]:
                yield row

    async def pages(self) -> AsyncIterator[Page[T]]:
        """One page after the other."""
        cursor: str | None = self._begin
        while cursor is not None:
            page = await self._ask({self._cursor: cursor})
            yield page
            cursor = page["nextCursor"]

    async def first_page(self, page: int = 1) -> Page[T]:
        """One page by number, with the total where the list counts it."""
        return await self._ask({"page": page} if self._cursor == "cursor" else {self._cursor: self._begin})

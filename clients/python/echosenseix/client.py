"""The two clients. Each has the API's groups of operations as attributes: `client.agents`, `client.documents`, …

Use a client as a context manager, or call `close`. One client serves a whole process; it keeps connections open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from .events import AsyncEventStream, EventStream
from .generated import resources
from .requests import Call, Flow, flow
from .retries import Retries
from .rows import AsyncRows, Page, Rows
from .uploads import Progress, Source, upload_form

T = TypeVar("T")
# Seconds for an answer. The API gives a write 5 s; the rest is the network.
_TIMEOUT = 20.0
# Seconds without progress of an upload or a download.
_TRANSFER_TIMEOUT = 60.0
_ATTEMPTS = Retries()


def _headers(key: str | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    return {
        "User-Agent": "echosenseix-python",
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **(headers or {}),
    }


class Client(resources.Groups):
    """The API, blocking. `key` is an API key or a session token; without one only public operations answer."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: Retries = _ATTEMPTS,
        timeout: float = _TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.retries = retries
        self.http = httpx.Client(base_url=url, headers=_headers(key, headers), timeout=timeout)
        super().__init__(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def stream_events(self, after: str | None = None, types: Sequence[str] = ()) -> EventStream:
        """Events as they happen, and those since the position `after`; "0" begins with the oldest that is kept. Where
        `types` are named, such as "call.ended" or "call.*", these alone."""
        return EventStream(self, after, types)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, with the client's retries and errors, for what the typed methods do not cover."""
        return self.send(Call(method, path, **options))

    def send(self, call: Call) -> httpx.Response:
        steps: Flow = flow(call, self.http, self.retries)
        try:
            step = next(steps)
            while True:
                if isinstance(step, float):
                    time.sleep(step)
                    step = next(steps)
                    continue
                outcome: httpx.Response | httpx.TransportError
                try:
                    outcome = self.http.send(step)
                except httpx.TransportError as error:
                    outcome = error
                step = steps.send(outcome)
        except StopIteration as ended:
            return cast(httpx.Response, ended.value)

    def answer(self, kind: type[T], call: Call) -> T:
        return cast(T, self.send(call).json())

    def nothing(self, call: Call) -> None:
        self.send(call)

    def content(self, call: Call) -> bytes:
        return self.send(call).content

    def rows(self, kind: type[T], path: str, params: Mapping[str, Any], cursor: str = "cursor") -> Rows[T]:
        def ask(where: dict[str, Any]) -> Page[T]:
            return cast(Page[T], self.send(Call("GET", path, params={**params, **where})).json())

        return Rows(ask, cursor, "")

    def upload(
        self,
        kind: type[T],
        path: str,
        field: str,
        source: Source,
        file_name: str | None,
        fields: Mapping[str, Any],
        progress: Progress | None,
        key: str | None,
    ) -> T:
        form, close = upload_form(field, source, file_name, fields, progress)
        try:
            return self.answer(kind, _uploading(path, form, key))
        finally:
            close()


class AsyncClient(resources.AsyncGroups):
    """The API for asyncio; see Client."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: Retries = _ATTEMPTS,
        timeout: float = _TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.retries = retries
        self.http = httpx.AsyncClient(base_url=url, headers=_headers(key, headers), timeout=timeout)
        super().__init__(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    def stream_events(self, after: str | None = None, types: Sequence[str] = ()) -> AsyncEventStream:
        """Events as they happen, and those since the position `after`; "0" begins with the oldest that is kept. Where
        `types` are named, such as "call.ended" or "call.*", these alone."""
        return AsyncEventStream(self, after, types)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, with the client's retries and errors, for what the typed methods do not cover."""
        return await self.send(Call(method, path, **options))

    async def send(self, call: Call) -> httpx.Response:
        steps: Flow = flow(call, self.http, self.retries)
        try:
            step = next(steps)
            while True:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    step = next(steps)
                    continue
                outcome: httpx.Response | httpx.TransportError
                try:
                    outcome = await self.http.send(step)
                except httpx.TransportError as error:
                    outcome = error
                step = steps.send(outcome)
        except StopIteration as ended:
            return cast(httpx.Response, ended.value)

    async def answer(self, kind: type[T], call: Call) -> T:
        return cast(T, (await self.send(call)).json())

    async def nothing(self, call: Call) -> None:
        await self.send(call)

    async def content(self, call: Call) -> bytes:
        return (await self.send(call)).content

    def rows(self, kind: type[T], path: str, params: Mapping[str, Any], cursor: str = "cursor") -> AsyncRows[T]:
        async def ask(where: dict[str, Any]) -> Page[T]:
            return cast(Page[T], (await self.send(Call("GET", path, params={**params, **where}))).json())

        return AsyncRows(ask, cursor, "")

    async def upload(
        self,
        kind: type[T],
        path: str,
        field: str,
        source: Source,
        file_name: str | None,
        fields: Mapping[str, Any],
        progress: Progress | None,
        key: str | None,
    ) -> T:
        form, close = upload_form(field, source, file_name, fields, progress)
        try:
            return await self.answer(kind, _uploading(path, form, key))
        finally:
            close()


def _uploading(path: str, form: Callable[[], dict[str, Any]], key: str | None) -> Call:
    return Call("POST", path, form=form, keyed=True, idempotency_key=key, timeout=_TRANSFER_TIMEOUT)

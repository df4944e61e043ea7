"""The organization's events, live: server-sent events that go on where they broke off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

import httpx

from .errors import ApiError, ConnectionFailed, NotAuthenticated, api_error

if TYPE_CHECKING:
    from .client import AsyncClient, Client

# Seconds without a byte after which a connection counts as lost. The server sends a comment every 15 s.
_SILENCE = 45.0


class Event(TypedDict):
    """CloudEvents 1.0. `data` names the things that the event is about."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    data: dict[str, Any]
    subject: NotRequired[str]
    datacontenttype: NotRequired[str]


class _Position:
    """Where a stream stands, and what a line of it means."""

    def __init__(self, after: str | None) -> None:
        # The id of the last event that was yielded; give it as `after` to go on in another process.
        self.after = after
        self._id: str | None = None
        self._data: list[str] = []

    def params(self) -> dict[str, str]:
        return {} if self.after is None else {"after": self.after}

    def read(self, line: str) -> Event | None:
        """The event that an empty line completes (WHATWG HTML, 9.2)."""
        if line.startswith("id:"):
            self._id = line[3:].strip()
        elif line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif not line and self._data:
            event = cast(Event, json.loads("\n".join(self._data)))
            self._data = []
            self.after = self._id if self._id is not None else self.after
            return event
        return None

    def lost(self) -> None:
        """The connection ended; half an event does not count."""
        self._data, self._id = [], None


class EventStream:
    """Iterate to receive events; it reconnects by itself and ends only by an error for which waiting does not help."""

    def __init__(self, client: Client, after: str | None) -> None:
        self._client = client
        self._position = _Position(after)

    @property
    def position(self) -> str | None:
        """The id of the last event that was yielded."""
        return self._position.after

    def __iter__(self) -> Iterator[Event]:
        failures = 0
        while True:
            try:
                for event in self._connected():
                    failures = 0
                    yield event
            except (httpx.TransportError, ApiError) as error:
                failures += 1
                time.sleep(_wait(error, failures, self._client.retries.attempts))
            self._position.lost()

    def _connected(self) -> Iterator[Event]:
        token = self._client.realtime.create_token()
        with self._client.http.stream(
            "GET",
            token["eventsUrl"],
            params=self._position.params(),
            headers=_headers(token["token"]),
            timeout=_SILENCE,
        ) as response:
            if response.status_code != 200:
                response.read()
                raise api_error(response)
            for line in response.iter_lines():
                event = self._position.read(line)
                if event is not None:
                    yield event


class AsyncEventStream:
    """The same for an AsyncClient: `async for event in …`."""

    def __init__(self, client: AsyncClient, after: str | None) -> None:
        self._client = client
        self._position = _Position(after)

    @property
    def position(self) -> str | None:
        """The id of the last event that was yielded."""
        return self._position.after

    async def __aiter__(self) -> AsyncIterator[Event]:
        failures = 0
        while True:
            try:
                async for event in self._connected():
                    failures = 0
                    yield event
            except (httpx.TransportError, ApiError) as error:
                failures += 1
                await asyncio.sleep(_wait(error, failures, self._client.retries.attempts))
            self._position.lost()

    async def _connected(self) -> AsyncIterator[Event]:
        token = await self._client.realtime.create_token()
        async with self._client.http.stream(
            "GET",
            token["eventsUrl"],
            params=self._position.params(),
            headers=_headers(token["token"]),
            timeout=_SILENCE,
        ) as response:
            if response.status_code != 200:
                await response.aread()
                raise api_error(response)
            async for line in response.aiter_lines():
                event = self._position.read(line)
                if event is not None:
                    yield event


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}


def _wait(error: httpx.TransportError | ApiError, failures: int, attempts: int) -> float:
    """Seconds until the next connection. A token that ended while we connected is replaced at once; a refusal that
    waiting does not end is raised, as is the last of several failures in a row."""
    if failures >= attempts:
        raise error if isinstance(error, ApiError) else ConnectionFailed(str(error)) from error
    if isinstance(error, NotAuthenticated):
        return 0.0
    if isinstance(error, ApiError):
        if error.retry_after is None:
            raise error
        return error.retry_after
    return min(30.0, 0.5 * 2.0**failures)

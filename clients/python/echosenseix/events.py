"""The organization's events, live: server-sent events that go on where they broke off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

import httpx

from .errors import ApiError, ConnectionFailed, NotAuthenticated, PositionExpired, api_error
from .retries import Retries, passes

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

    def __init__(self, after: str | None, types: Sequence[str]) -> None:
        self._types = {"types": ",".join(types)} if types else {}
        # The id of the last event that was yielded; give it as `after` to go on in another process.
        self.after = after
        self._id: str | None = None
        self._name = ""
        self._data: list[str] = []

    def params(self) -> dict[str, str]:
        return self._types if self.after is None else {**self._types, "after": self.after}

    def read(self, line: str) -> Event | None:
        """The event that an empty line completes (WHATWG HTML, 9.2). Raises PositionExpired."""
        if line.startswith("id:"):
            self._id = line[3:].strip()
        elif line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            self._name = line[6:].strip()
        elif not line and self._data:
            said, name = json.loads("\n".join(self._data)), self._name
            self._data, self._name = [], ""
            if name == "expired":
                raise PositionExpired(said["after"], said["oldest"])
            event = cast(Event, said)
            self.after = self._id if self._id is not None else self.after
            return event
        return None

    def lost(self) -> None:
        """The connection ended; half an event does not count."""
        self._data, self._id, self._name = [], None, ""


class _Again:
    """How long a stream waits before it connects again, or that it does not."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._was_open = False
        self._failures = 0

    def opened(self) -> None:
        self._was_open = True
        self._failures = 0

    def wait(self, lost: Exception | None) -> float:
        """Seconds; `lost` is None where the server ended the stream. Raises what waiting does not end, and until the
        stream was open once, the last of as many failures as a request has attempts: the address may be wrong."""
        self._failures += 1
        is_last = self._failures >= self._retries.attempts
        if isinstance(lost, NotAuthenticated) and not is_last:
            return 0.0  # the token ended while we connected; a fresh one tells whether the key did too
        if isinstance(lost, ApiError):
            is_passing = passes(lost.status, lost.retry_after) or (self._was_open and lost.status >= 500)
            if not is_passing or (is_last and not self._was_open):
                raise lost
            return max(lost.retry_after or 0.0, self._retries.wait(self._failures))
        if lost is not None and is_last and not self._was_open:
            raise ConnectionFailed(str(lost)) from lost
        return self._retries.wait(self._failures)


class EventStream:
    """Iterate to receive events. Once it was open it connects again by itself however long the server is away, and ends
    only by an error for which waiting does not help, such as PositionExpired."""

    def __init__(self, client: Client, after: str | None, types: Sequence[str] = ()) -> None:
        self._client = client
        self._position = _Position(after, types)

    @property
    def position(self) -> str | None:
        """The id of the last event that was yielded."""
        return self._position.after

    def __iter__(self) -> Iterator[Event]:
        again = _Again(self._client.retries)
        while True:
            lost: Exception | None = None
            try:
                yield from self._connected(again)
            except (httpx.TransportError, ConnectionFailed, ApiError) as error:
                lost = error
            self._position.lost()
            time.sleep(again.wait(lost))

    def _connected(self, again: _Again) -> Iterator[Event]:
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
            again.opened()
            for line in response.iter_lines():
                event = self._position.read(line)
                if event is not None:
                    yield event


class AsyncEventStream:
    """The same for an AsyncClient: `async for event in …`."""

    def __init__(self, client: AsyncClient, after: str | None, types: Sequence[str] = ()) -> None:
        self._client = client
        self._position = _Position(after, types)

    @property
    def position(self) -> str | None:
        """The id of the last event that was yielded."""
        return self._position.after

    async def __aiter__(self) -> AsyncIterator[Event]:
        again = _Again(self._client.retries)
        while True:
            lost: Exception | None = None
            try:
                async for event in self._connected(again):
                    yield event
            except (httpx.TransportError, ConnectionFailed, ApiError) as error:
                lost = error
            self._position.lost()
            await asyncio.sleep(again.wait(lost))

    async def _connected(self, again: _Again) -> AsyncIterator[Event]:
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
            again.opened()
            async for line in response.aiter_lines():
                event = self._position.read(line)
                if event is not None:
                    yield event


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}

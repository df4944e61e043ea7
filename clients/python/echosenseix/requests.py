"""One call of the API without its I/O: the request to send, the wait before the next attempt, the answer or the error.

The sync and the async client drive the same generator, so that they behave alike.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from .errors import ConnectionFailed, api_error
from .retries import Retries


@dataclass(frozen=True)
class Call:
    """What is asked. `keyed` writes carry an Idempotency-Key, so that an attempt that was lost can be repeated."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    # Makes the form of an upload anew for each attempt.
    form: Callable[[], dict[str, Any]] | None = None
    keyed: bool = False
    idempotency_key: str | None = None
    timeout: float | None = None

    def request(self, http: httpx.Client | httpx.AsyncClient, key: str) -> httpx.Request:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        wanted = {name: _query_text(value) for name, value in self.params.items() if value is not None}
        body = self.form() if self.form is not None else {} if self.json is None else {"json": self.json}
        timeout = http.timeout if self.timeout is None else httpx.Timeout(self.timeout)
        return http.build_request(
            self.method, self.path, params=wanted, headers=headers, timeout=timeout, extensions=None, **body
        )

    @property
    def repeats(self) -> bool:
        """Whether a second time changes nothing."""
        return self.keyed or self.method in ("GET", "HEAD", "PUT", "DELETE")


def segment(value: str | int) -> str:
    """A value as one segment of a path."""
    return quote(str(value), safe="")


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# What the driver is asked to do: send a request, or wait so many seconds.
Step = httpx.Request | float
Flow = Generator[Step, httpx.Response | httpx.TransportError | None, httpx.Response]


def flow(call: Call, http: httpx.Client | httpx.AsyncClient, retries: Retries) -> Flow:
    """Yields steps, takes what each led to, and returns the answer of success with its body read."""
    key = (call.idempotency_key or str(uuid.uuid4())) if call.keyed else ""
    attempt = 0
    while True:
        attempt += 1
        outcome = yield call.request(http, key)
        if isinstance(outcome, httpx.Response):
            if outcome.status_code < 400:
                return outcome
            wait = retries.wait_after(outcome, attempt) if call.repeats else None
            if wait is None:
                raise api_error(outcome)
        else:
            if not call.repeats or attempt >= retries.attempts:
                raise ConnectionFailed(f"{call.method} {call.path}: {outcome}") from outcome
            wait = retries.wait(attempt)
        yield wait

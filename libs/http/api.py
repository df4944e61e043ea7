"""Calls to another company's API with a key. Its refusals become AppErrors that say what to do.

Nothing is retried here. The key goes to the API's own address and nowhere else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from libs.clock import utcnow
from libs.errors import AppError, NotFound, ResourceExhausted, Unauthenticated, Unavailable
from libs.http.client import Answer, OutboundClient
from libs.http.retry_after import retry_after_seconds
from libs.spool import Spool

# Seconds for an answer of a provider's API. Longer: a hanging provider holds a worker's slot for longer.
ANSWER_SECONDS = 30.0
# Bytes of an answer. A call is read with its whole transcript. Larger: more memory per job.
ANSWER_BYTES = 16 * 1024 * 1024
_SLOW_DOWN_SECONDS = 30.0  # a 429 that names no time


@dataclass(frozen=True, slots=True)
class RemoteApi:
    """`name` is what messages call it, `headers` carry the key. Every call raises Unauthenticated for a refused key,
    NotFound, ResourceExhausted with retry_after when asked to slow down, and Unavailable for what may pass."""

    client: OutboundClient
    name: str
    address: str
    headers: Mapping[str, str] = field(repr=False)

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        return await self._ask("GET", path, query, b"", dict(self.headers))

    async def download(self, path: str, into: Spool, *, seconds: float, max_bytes: int) -> Answer:
        """A GET whose answer is written to `into`."""
        return self._checked(
            await self.client.download(
                self._url(path, None), into, headers=self.headers, timeout=seconds, max_bytes=max_bytes
            )
        )

    async def post(self, path: str, body: Any, query: Mapping[str, Any] | None = None) -> Answer:
        """`body` is sent as JSON."""
        headers = {**self.headers, "content-type": "application/json"}
        return await self._ask("POST", path, query, json.dumps(body).encode(), headers)

    async def _ask(
        self, method: str, path: str, query: Mapping[str, Any] | None, content: bytes, headers: dict[str, str]
    ) -> Answer:
        answer = await self.client.request(
            method, self._url(path, query), content=content, headers=headers, timeout=ANSWER_SECONDS,
            max_bytes=ANSWER_BYTES,
        )  # fmt: skip
        return self._checked(answer)

    def _url(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        return self.address.rstrip("/") + path + (f"?{urlencode(given)}" if given else "")

    def _checked(self, answer: Answer) -> Answer:
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, self.name)
        return answer


def refusal(answer: Answer, name: str) -> AppError:
    """The error in an answer of an API that is not 2xx."""
    wait = retry_after_seconds(answer.headers, utcnow())
    if answer.status_code in (401, 403):
        return Unauthenticated("provider_key_refused", f"{name} refused the API key. Enter a valid one.")
    if answer.status_code in (404, 410):
        return NotFound("not_at_provider", f"{name} has no such thing.")
    if answer.status_code == 429:
        wait = _SLOW_DOWN_SECONDS if wait is None else wait
        return ResourceExhausted("provider_rate_limited", f"{name} asked to slow down.", retry_after=wait)
    return Unavailable("provider_failed", f"{name} answered {answer.status_code}.", retry_after=wait)


def unreadable(name: str) -> Unavailable:
    """The error for a 2xx answer that is not what the API's models say."""
    return Unavailable("provider_answer_unreadable", f"{name} answered with something unexpected.")


def read_json(answer: Answer, name: str) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise unreadable(name) from None


def read_object(answer: Answer, name: str) -> dict[str, Any]:
    document = read_json(answer, name)
    if not isinstance(document, dict):
        raise unreadable(name)
    return document

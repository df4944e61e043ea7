"""The outbound client: HTTP to the outside with an address guard, bounded in time and size, without redirects.

Every failure is an AppError whose text names no address. It neither retries (jobs do) nor decodes content encodings (so
a small answer cannot unfold into a large one).
"""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from libs.config import ConfigError
from libs.errors import AppError, DeadlineExceeded, InvalidArgument, Unavailable
from libs.http.addresses import Resolve, Target, forbidden_address, parse_allowed, parse_target
from libs.spool import Spool
from libs.telemetry.metrics import OUTBOUND_HTTP_SECONDS
from libs.telemetry.traces import span

# Seconds for a request without its own limit: the longest that a receiver of webhooks has.
DEFAULT_SECONDS = 15.0
# Bytes of an answer, unless the caller allows more. Answers of webhooks are read for their status alone.
MAX_ANSWER_BYTES = 1_048_576
_AGENT = "EchoSenseiX/1"
# Seconds that an idle connection stays open. A vetted address is reused for at most this long.
_KEEPALIVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case; repeated ones are joined by a comma."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The content as JSON; ValueError when it is none."""
        return json.loads(self.content)


class OutboundClient:
    """`allow` are the entries of OUTBOUND_ALLOW: addresses that may be called although they are not public. `resolve`
    stands for the system's resolver: host and port to addresses."""

    def __init__(
        self, allow: tuple[str, ...] = (), *, max_connections: int = 50, resolve: Resolve | None = None
    ) -> None:
        self._allow = allow
        self._resolve = resolve
        try:
            parse_allowed(allow)
        except ValueError as error:
            raise ConfigError([str(error)]) from None
        self._max_connections = max_connections
        self._pool: Any = None

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109
    ) -> Answer:
        return await self.request("GET", url, headers=headers, timeout=timeout)

    async def post(
        self,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109
    ) -> Answer:
        return await self.request("POST", url, content=content, headers=headers, timeout=timeout)

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """One request, one answer, all of it within `timeout` seconds.

        Raises InvalidArgument("forbidden_address") before anything is connected, Unavailable("outbound_failed" or
        "answer_too_large"), DeadlineExceeded("outbound_timeout").
        """
        return await self._request(method, url, headers, content, timeout, max_bytes, None)

    async def download(
        self,
        url: str,
        into: Spool,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """A GET whose answer, if it is 2xx, is written to `into` as it arrives; `content` is empty then. Errors are
        those of `request`."""
        return await self._request("GET", url, headers, b"", timeout, max_bytes, into)

    async def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        content: bytes,
        seconds: float,
        max_bytes: int,
        into: Spool | None,
    ) -> Answer:
        started = time.monotonic()
        outcome = "failed"
        try:
            target = self._checked(url)
            with span("outbound_http", kind="client", method=method):
                async with asyncio.timeout(seconds):
                    answer = await self._exchange(method, target, dict(headers or {}), content, max_bytes, into)
            outcome = f"{answer.status_code // 100}xx"
            return answer
        except AppError as error:
            outcome = "refused" if error.reason == "forbidden_address" else "failed"
            raise
        except TimeoutError:
            raise DeadlineExceeded("outbound_timeout", "The address did not answer in time.") from None
        finally:
            OUTBOUND_HTTP_SECONDS.labels(outcome).observe(time.monotonic() - started)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def __aenter__(self) -> "OutboundClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _checked(self, url: str) -> Target:
        reason = forbidden_address(url, self._allow)
        if reason is not None:
            raise _forbidden(reason)
        return parse_target(url)

    async def _exchange(
        self, method: str, target: Target, headers: dict[str, str], content: bytes, max_bytes: int, into: Spool | None
    ) -> Answer:
        import httpcore

        from libs.http.backend import ForbiddenAddress

        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        try:
            async with self._connections().stream(
                method, url, headers=_request_headers(method, target, headers, content), content=content
            ) as response:
                if into is None or not 200 <= response.status < 300:
                    body = await _bounded(response, max_bytes if into is None else MAX_ANSWER_BYTES)
                else:
                    body = await _spooled(response, max_bytes, into)
        except ForbiddenAddress as refusal:
            raise _forbidden(str(refusal)) from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            ssl.SSLError,
            OSError,
        ) as error:
            raise Unavailable("outbound_failed", f"The address could not be used ({_kind(error)}).") from None
        return Answer(response.status, _answer_headers(response.headers), body)

    def _connections(self) -> Any:
        if self._pool is None:
            import httpcore

            from libs.http.backend import GuardedBackend, system_resolve

            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=_trusted_roots(),
                max_connections=self._max_connections,
                max_keepalive_connections=self._max_connections,
                keepalive_expiry=_KEEPALIVE_SECONDS,
                network_backend=GuardedBackend(parse_allowed(self._allow), self._resolve or system_resolve),
            )
        return self._pool


def _trusted_roots() -> ssl.SSLContext:
    """The machine's roots (or SSL_CERT_FILE's) and certifi's: a slim image has none of its own."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def _bounded(response: Any, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large()
    return bytes(body)


async def _spooled(response: Any, max_bytes: int, into: Spool) -> bytes:
    async for chunk in response.aiter_stream():
        if into.size + len(chunk) > max_bytes:
            raise _too_large()
        await into.write(chunk)
    await into.seal()
    return b""


def _too_large() -> Unavailable:
    return Unavailable("answer_too_large", "The answer of that address is too large.")


def _request_headers(method: str, target: Target, headers: dict[str, str], content: bytes) -> list[tuple[str, str]]:
    lowered = {name.lower(): value for name, value in headers.items()}
    fixed = {"host": target.authority, "user-agent": _AGENT, "accept-encoding": "identity"}
    if content or method in ("POST", "PUT", "PATCH"):
        fixed["content-length"] = str(len(content))
    return list({**lowered, **fixed}.items())


def _answer_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _kind(error: Exception) -> str:
    """A word for what went wrong that holds no address: connect error, read timeout."""
    words = []
    for letter in type(error).__name__:
        words.append(f" {letter.lower()}" if letter.isupper() else letter)
    return "".join(words).strip()


def _forbidden(reason: str) -> InvalidArgument:
    return InvalidArgument("forbidden_address", f"Name a public http or https address: {reason}.")

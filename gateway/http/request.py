"""One request, from the outermost layer to the handler: Starlette's Request with typed access to what layers add.

The object is made once, by the outermost layer, and kept in scope["state"]; every layer reads and fills the same one.
It must not know any resource: what the application keeps for all requests is `app`, of the application's own type.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from starlette.datastructures import Headers
from starlette.datastructures import State as StarletteState
from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope

from gateway.http.client_address import client_address
from libs.errors import AppError, DeadlineExceeded, InvalidArgument, Unauthenticated, invalid_parameter
from libs.rpc.principal import Principal

A = TypeVar("A")
Q = TypeVar("Q")
B = TypeVar("B")

# Seconds for a body that is held in memory. Shorter: slow networks fail. Longer: slow clients hold connections.
BODY_SECONDS = 10.0

# A proxy in front could read a second value of one of these differently, so a request that repeats one is refused.
_SINGLE = frozenset((b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"x-api-key"))


@dataclass(frozen=True, slots=True)
class Options:
    """What the toolkit has to know of the deployment."""

    public_url: str
    # How many proxies in front append to X-Forwarded-For.
    trusted_proxies: int = 0


class Place(Protocol):
    """What the request holds while it is answered. It is held for the work, not while the client sends or reads."""

    def receive(self) -> None: ...

    def work(self) -> None: ...

    def answer(self, kind: Hashable, error: AppError | None = None) -> None: ...

    def deliver(self) -> None: ...


class Unbounded:
    """The place of a request that takes none."""

    def receive(self) -> None: ...

    def work(self) -> None: ...

    def answer(self, kind: Hashable, error: AppError | None = None) -> None: ...

    def deliver(self) -> None: ...


_UNBOUNDED = Unbounded()


class Request(StarletteRequest[StarletteState], Generic[A, Q, B]):
    """A request of an application A, with a query of type Q and a JSON body of type B.

    Starlette's own `body`, `stream`, `cookies`, `path_params` and `method` serve as they are.
    """

    # Filled by the endpoint before the handler runs. Raw and multipart routes have no `data`: they read the body.
    query: Q
    data: B
    # The query parameters as they were sent, for the links of a list.
    parameters: dict[str, str]

    # Defaults of the class, because most requests do not set all of them and each assignment costs time.
    request_id: str = ""
    principal_or_none: Principal | None = None
    # How the principal proved itself: bearer, api_key or cookie; and by what.
    credential: str = ""
    shown_credential: Any = None
    # The route's pattern, so that a metric has one row a route and not one an id.
    route_template: str = "(none)"
    # time.perf_counter() at the request's start, in seconds.
    started: float = 0.0
    # The status of the response; 0 until it starts.
    status: int = 0
    # A response with a fresh secret is not compressed: its size would tell about the secret (BREACH).
    secret: bool = False
    # It was refused because too many requests run.
    shed: bool = False
    # Its place among the requests that run.
    place: Place = _UNBOUNDED
    # Waits for the decision over the caller's rate limits, which may refuse; None: it has been made.
    unsettled: Callable[[], Awaitable[None]] | None = None
    # What RateLimits counted it under, and what answered it from this process's memory: for its repetition.
    counted: Any = None
    hot_read: Any = None
    # The response will be kept for others, so it must not come from a replica that lags.
    fills_cache: bool = False

    def __init__(self, scope: Scope, receive: Receive, options: Options) -> None:
        super().__init__(scope, receive)
        self.options = options
        self._fields, self._repeated = _read_fields(scope["headers"])
        # Fields that the outermost layer adds to any response.
        self.response_headers: list[tuple[bytes, bytes]] = []

    def replace_response_header(self, name: bytes, value: bytes) -> None:
        """The response has this field instead of what an outer layer noted. `name` is in lower case."""
        self.response_headers = [pair for pair in self.response_headers if pair[0] != name] + [(name, value)]

    @property
    def app(self) -> A:
        """What the application keeps for all requests."""
        app: A = self.scope["app"]
        return app

    @property
    def headers(self) -> Headers:
        """The header fields with repeated ones joined, as a map. `header` is the faster way to read one."""
        return Headers(self._fields)

    def header(self, name: str) -> str:
        """A field's value, or the empty string; the name in lower case."""
        return self._fields.get(name, "")

    def has_header(self, name: str) -> bool:
        """Whether the field was sent, even if it is empty."""
        return name in self._fields

    def replace_header(self, name: str, value: str) -> None:
        """Let the layers inside read another value."""
        self._fields[name] = value

    def refuse_repeated_headers(self) -> None:
        """400 for a second value of a field that has one value."""
        if self._repeated:
            raise invalid_parameter(self._repeated, f"Send the header {self._repeated} once.", "repeated_header")

    @property
    def path(self) -> str:
        """The decoded path."""
        path: str = self.scope["path"]
        return path

    @property
    def id(self) -> str:
        """The id in the path."""
        found: str = self.scope["path_params"]["id"]
        return found

    @property
    def principal(self) -> Principal:
        """The caller; Unauthenticated on a public route without one."""
        if self.principal_or_none is None:
            raise Unauthenticated("unauthenticated", "Sign in, or send an API key.")
        return self.principal_or_none

    @property
    def client_address(self) -> str:
        """The client's IP address; empty when unknown."""
        return client_address(self.scope, self.header("x-forwarded-for"), self.options.trusted_proxies)

    async def admitted(self) -> None:
        """Return once the rate limits let the request pass. Raises ResourceExhausted; a second call waits for none."""
        unsettled, self.unsettled = self.unsettled, None
        if unsettled is not None:
            await unsettled()

    async def read_body(self, limit: int) -> bytes:
        """The whole body, which `body` returns from then on. Refused as soon as it is known to exceed `limit` bytes,
        or when it takes too long. While it arrives its request holds no place among those that run."""
        if hasattr(self, "_body"):
            return self._body
        declared = self.header("content-length")
        if declared.isdigit() and int(declared) > limit:
            raise too_large(limit)
        self.place.receive()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                self._body = await self._received(limit)
        except TimeoutError:
            raise DeadlineExceeded("request_too_slow", f"Send the whole body within {BODY_SECONDS:.0f} s.") from None
        except ClientDisconnect:
            raise incomplete() from None
        self.place.work()
        return self._body

    async def _received(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async with aclosing(self.stream()) as stream:
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                chunks.append(chunk)
        return b"".join(chunks)


def request_of(scope: Scope) -> Request[Any, Any, Any]:
    """The request that the outermost layer put into the scope."""
    request: Request[Any, Any, Any] = scope["state"]["request"]
    return request


def too_large(limit: int) -> InvalidArgument:
    """413."""
    size = f"{limit // (1024 * 1024)} MiB" if limit >= 1024 * 1024 else f"{limit // 1024} KiB"
    return InvalidArgument("payload_too_large", f"Send at most {size}.")


def incomplete() -> InvalidArgument:
    """400 for a connection that ended before the body did; only the log shows it."""
    return InvalidArgument("incomplete_body", "The connection ended before the body did. Send it again.")


def _read_fields(pairs: list[tuple[bytes, bytes]]) -> tuple[dict[str, str], str]:
    """The header fields, repeated ones joined (RFC 9110, 5.3), and the name of one that must not be repeated."""
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(fields) == len(pairs):
        return fields, ""
    joined: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        joined.setdefault(name, []).append(value)
    repeated = [name.decode("latin-1") for name, values in joined.items() if len(values) > 1 and name in _SINGLE]
    return {
        name.decode("latin-1"): (b"; " if name == b"cookie" else b", ").join(values).decode("latin-1")
        for name, values in joined.items()
    }, "".join(repeated[:1])

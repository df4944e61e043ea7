"""What the middlewares tell one another about one request, kept in the ASGI scope under one key.

Owns no behaviour beyond reading the headers once. It must not know routes' business nor answer anything.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from libs.errors import InvalidArgument
from libs.rpc.principal import Principal

if TYPE_CHECKING:
    from gateway.http.routing import Match

KEY = "echosenseix"

# A second value of one of these could be read differently by a proxy in front of us than by us.
_SINGLE = frozenset(
    (b"authorization", b"content-length", b"content-type", b"cookie", b"host", b"idempotency-key", b"x-api-key")
)


@dataclass(slots=True)
class Exchange:
    """One request on its way through the middlewares."""

    headers: dict[bytes, bytes]
    request_id: str = ""
    match: "Match | None" = None
    principal: Principal | None = None
    # How the principal proved itself: bearer, api_key or cookie.
    credential: str = ""
    started: float = 0.0
    status: int = 0
    # Added to whatever the endpoint answers, by the outermost middleware.
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    # The answer must not be compressed: it carries a fresh secret beside what the client sent.
    secret: bool = False

    def header(self, name: bytes) -> str:
        """The header's value, or the empty string; the name in lower case."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def route_template(self) -> str:
        """The route's pattern, so that metrics have one row a route and not one an id."""
        return self.match.template if self.match is not None and self.match.template else "(none)"


def read_headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers as a map; repeated list headers are joined, a repeated single one is refused."""
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    return _join_repeated(pairs)


def _join_repeated(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name not in joined:
            joined[name] = value
        elif name == b"cookie":
            joined[name] += b"; " + value
        elif name in _SINGLE:
            raise InvalidArgument("repeated_header", f"Send the header {name.decode('latin-1')} once.")
        else:
            joined[name] += b", " + value
    return joined


def exchange_of(scope: Any) -> Exchange:
    """The exchange that the outermost middleware put into the scope."""
    exchange: Exchange = scope[KEY]
    return exchange

"""The declaration of a route, and the table that finds one by walking over the path's segments.

A declaration says who may call the route, what it takes and what it answers; gateway.http.openapi makes the document
from it. It must not call handlers.
"""

import functools
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec
from starlette.responses import Response

from gateway.http.request import Request
from gateway.http.schema import NoBody, NoQuery
from libs.cache.spec import CacheClass

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B", bound=msgspec.Struct)

# Ids and names in a path consist of these characters. Any other segment becomes "-", which is no id, so the service
# answers 404 as for any unknown id.
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
# Characters of an id, unless the route's `segments` gives a `maxLength`. No id of ours is longer.
_ID_LENGTH = 128
_NO_ID = "-"

# Paths whose match is remembered: hot resources are asked for again and again. 1 KB each.
_RECENT_PATHS = 4_096
# Characters of a path that is remembered. Longer ones are no resource's, and would fill the memory.
_SHORT_PATH = 200
# How long a deprecated route answers at least: clients need the time of two of their own releases.
_NOTICE = timedelta(days=180)
# Seconds for a read, unless the route says otherwise. The suite promises 200 ms at p95; the rest covers one retry.
READ_SECONDS = 2.0
# Seconds for a write, unless the route says otherwise: the statement limit of libs.postgres, which it must not exceed.
WRITE_SECONDS = 5.0


# The class of routes without a rate limit.
UNLIMITED = "none"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A route that clients should leave: since when, until when it answers at the earliest, and the path to use
    instead. Its answers say so (RFC 9745, RFC 8594), and so does the document."""

    since: date
    sunset: date
    instead: str

    def __post_init__(self) -> None:
        if self.sunset - self.since < _NOTICE:
            raise ValueError(f"a deprecated route answers for {_NOTICE.days} days at least")

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return (
            (b"deprecation", f"@{int(_midnight(self.since).timestamp())}".encode()),
            (b"sunset", format_datetime(_midnight(self.sunset), usegmt=True).encode()),
            (b"link", f'<{self.instead}>; rel="successor-version"'.encode()),
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass(frozen=True, slots=True)
class Route(Generic[Q, B]):
    """One operation of the API."""

    method: str
    path: str
    handler: Callable[[Request[Any, Q, B]], Awaitable[Response]]
    summary: str
    _: KW_ONLY
    # The group in the document; set by `tagged`.
    tag: str = ""
    # It is an operation of the API, and in the document. The console's page and files are not.
    documented: bool = True
    # Callers need no credential.
    public: bool = False
    # The scope that the principal needs; empty: any authenticated principal.
    scope: str = ""
    query: type[Q] = NoQuery  # type: ignore[assignment]
    body: type[B] = NoBody  # type: ignore[assignment]
    # json, merge_patch, multipart, raw or stream. Of the last three handlers read multipart and stream as they arrive.
    body_kind: str = "json"
    # Further media types of the body, each with its schema.
    bodies: Mapping[str, Any] = field(default_factory=dict)
    # A valid request body, for the document and its test.
    example: Any = None
    # The schemas of the path's parameters that are no plain ids, for the document.
    segments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # The schema of a multipart form, or of an URL-encoded one that is not read (raw), for the document.
    form: Mapping[str, Any] | None = None
    answer: Any = None
    status: int = 200
    # Other statuses of success with the same answer, and what they mean.
    also: Mapping[int, str] = field(default_factory=dict)
    # Whether a 201 or 202 with an answer names the new resource's path in Location.
    has_location: bool = True
    media_type: str = "application/json"
    # The tag of the answer: "version" names the version; "match" also the bytes, which change within it; "content" a
    # file whose bytes never change; empty: the answer has none.
    etag: Literal["", "version", "match", "content"] = ""
    # The answer sets or removes a cookie.
    sets_cookie: bool = False
    # A write under an Idempotency-Key happens once. False where nothing is written that a repetition would double.
    keyed: bool = True
    # The owning service refuses the request without an Idempotency-Key, because money moves.
    key_required: bool = False
    # The response carries a fresh secret: it is neither cached nor compressed.
    secret: bool = False
    # The body identifies the write, so that a second one changes nothing even without an Idempotency-Key.
    repeatable: bool = False
    # The class of cached values that the answer is one of; its `single`s show what {id} names. A PATCH stores its
    # answer for the reads of its path.
    cached: CacheClass | None = None
    seconds: float = 0.0
    body_limit: int = 0
    # Returns the version of the resource in the path or raises NotFound, so that 404 and 412 come before 422.
    subject: Callable[[Request[Any, Any, Any]], Awaitable[int]] | None = None
    # Further error statuses of this operation, for the document.
    problems: tuple[int, ...] = ()
    # Clients should use another route; None: the route stays.
    deprecated: Deprecation | None = None
    # The class of rate limits, or UNLIMITED. Without one it is "read" or "write" by the method; a public route and one
    # that takes files must name theirs.
    limits: str = ""

    def __post_init__(self) -> None:
        if not self.limits and (self.public or self.body_kind in ("multipart", "raw", "stream")):
            raise ValueError(f"name the class of rate limits of {self.method} {self.path}")

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    @property
    def writes_through(self) -> bool:
        """Whether the edge cache stores what this write answers."""
        return self.cached is not None and self.method == "PATCH"

    @property
    def audited(self) -> bool:
        """Whether the audit log has it: a user's write. Deliveries are kept by those who take them."""
        return not self.reads and not self.scope.endswith(":read") and self.body_kind not in ("raw", "stream")

    @property
    def limited(self) -> str:
        """The class of rate limits."""
        return self.limits or ("read" if self.reads else "write")

    @property
    def body_required(self) -> bool:
        """Whether an empty body cannot stand for an empty object."""
        fields = msgspec.structs.fields(self.body)
        return self.body_kind == "merge_patch" or any(field.required for field in fields)

    @property
    def tag_kind(self) -> str:
        """What the entity tag names. A cached read without a version has a tag of its bytes."""
        return self.etag or ("content" if self.cached is not None and self.reads else "")

    @property
    def media_types(self) -> Mapping[str, Any]:
        """The media types of a JSON body with their schemas, the preferred one first."""
        kinds = ["application/merge-patch+json"] if self.body_kind == "merge_patch" else []
        return {**dict.fromkeys([*kinds, "application/json"], self.body), **self.bodies}

    @property
    def budget(self) -> float:
        """Seconds the answer may take."""
        return self.seconds or (READ_SECONDS if self.reads else WRITE_SECONDS)


def tagged(tag: str, *routes: Route[Any, Any]) -> tuple[Route[Any, Any], ...]:
    """A module's routes under one heading of the document."""
    return tuple(replace(route, tag=tag) for route in routes)


@dataclass(frozen=True, slots=True)
class Match:
    """The table's result for a path and method: the route, or why there is none."""

    route: Route[Any, Any] | None
    params: Mapping[str, str]
    template: str = ""
    # Methods of this path, for Allow; empty when the path is unknown.
    allow: str = ""
    # Every method of this path is public.
    public_path: bool = False


def match_of(request: Request[Any, Any, Any]) -> Match:
    """What the routing layer found for the request."""
    match: Match = request.scope["match"]
    return match


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    param: "_Node | None" = None
    param_name: str = ""
    param_length: int = _ID_LENGTH
    template: str = ""
    routes: dict[str, Route[Any, Any]] = field(default_factory=dict)
    allow: str = ""
    public: bool = False


class RouteTable:
    """All routes, as a tree over path segments."""

    def __init__(self, routes: Iterable[Route[Any, Any]]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        self._recent = functools.lru_cache(maxsize=_RECENT_PATHS)(self._find)
        for route in self.routes:
            self._add(route)

    def match(self, method: str, path: str) -> Match:
        """The route for a request; HEAD is served by GET's."""
        return self._recent(method, path) if len(path) <= _SHORT_PATH else self._find(method, path)

    def _find(self, method: str, path: str) -> Match:
        node, params = self._root, {}
        for segment in path[1:].split("/"):
            child = node.children.get(segment)
            if child is None:
                child = node.param
                if child is None or not segment:
                    return Match(None, {})
                fits = len(segment) <= child.param_length and _SEGMENT.fullmatch(segment)
                params[child.param_name] = segment if fits else _NO_ID
            node = child
        if not node.routes:
            return Match(None, {})
        route = node.routes.get("GET" if method == "HEAD" else method)
        return Match(route, params, node.template, node.allow, node.public)

    def _add(self, route: Route[Any, Any]) -> None:
        node = self._root
        for segment in route.path[1:].split("/"):
            if segment.startswith("{"):
                node = _param_child(node, segment)
                declared = route.segments.get(node.param_name, {})
                node.param_length = max(node.param_length, declared.get("maxLength", _ID_LENGTH))
            else:
                node = node.children.setdefault(segment, _Node())
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.path}")
        node.routes[route.method] = route
        node.template = route.path
        node.allow = _allow(node.routes)
        node.public = all(known.public for known in node.routes.values())


def _param_child(node: _Node, segment: str) -> _Node:
    name = segment[1:-1]
    if node.param is None:
        node.param = _Node(param_name=name)
    if node.param.param_name != name:
        raise ValueError(f"one place in the path is called both {node.param.param_name} and {name}")
    return node.param


def _allow(routes: Mapping[str, Route[Any, Any]]) -> str:
    methods = set(routes) | {"OPTIONS"} | ({"HEAD"} if "GET" in routes else set())
    return ", ".join(sorted(methods))

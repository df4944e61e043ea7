"""The shapes of a get-or-load: what a loader answers, what a reader gets, and what lies in memory between them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from libs.cache.store import Found

V = TypeVar("V")


class Source(Enum):
    """Where an answer came from, as X-Cache says it."""

    HIT = "HIT"
    MISS = "MISS"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """A loader's answer. `version` serves readers that demand one; `negative` marks an absence, kept 5 s."""

    value: V
    version: int = 0
    negative: bool = False
    ttl_seconds: float | None = None


class Answer(NamedTuple, Generic[V]):
    """`age_seconds` counts from before the load; for `left_seconds` it may still be used."""

    value: V
    version: int
    source: Source
    age_seconds: float
    left_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Codec(Generic[V]):
    """How values cross to Redis; `measure` gives their bytes in memory. `decode` raises ValueError for bytes that it
    does not trust."""

    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    measure: Callable[[V], int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs. `tags` are those that changes replace. `group` is watched in this process alone: the
    organization, whose writes through this process renew all it holds of it."""

    key: str
    tags: tuple[str, ...]
    group: str = ""
    watched: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "watched", (*self.tags, self.group))


@dataclass(slots=True)
class Entry(Generic[V]):
    """Monotonic times: `began` the read behind it, `loaded` the load, `fresh` and `usable` its ends."""

    value: V
    version: int
    began: float
    loaded: float
    fresh: float
    usable: float


@dataclass(slots=True)
class Flight(Generic[V]):
    """A load under way. `since` is when its present step began; `loading` says that the step reads the source. `asked`
    is what was asked of Redis with it; None when Redis is away."""

    since: float
    min_version: int
    asked: Awaitable[Found] | None = None
    loading: bool = False
    task: "asyncio.Task[tuple[Entry[V], Source]] | None" = None


class Begun(NamedTuple, Generic[V]):
    """A read that waits for a load, and the older value that may answer it."""

    flight: Flight[V]
    entry: Entry[V] | None


Loader = Callable[[], Awaitable[Loaded[V]]]

"""A response as the edge cache keeps it: final bytes in every coding, made once, with an entity tag.

Also an absence (404), which is kept for a few seconds. It must not know a resource.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Message

from gateway.http.compressed import MIN_BYTES, compress_all
from gateway.http.conditional import version_of
from libs.cache.tiered import Cache
from libs.cache.values import Codec, Entry, Place
from libs.errors import NotFound

_OWN = frozenset((b"content-length", b"etag"))
CODINGS = ("", "gzip", "zstd")


class StoredResponse(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`forms` by content coding, empty for none. `tag` without quotes; `version` is 0 where the tag names bytes."""

    forms: dict[str, bytes]
    headers: list[tuple[bytes, bytes]]
    tag: str
    version: int
    reason: str = ""
    detail: str = ""

    @property
    def absent(self) -> bool:
        return bool(self.reason)

    def tag_in(self, coding: str) -> str:
        """Each coding has a tag of its own (RFC 9110, 8.8.3.3)."""
        return f'"{self.tag}-{coding}"' if coding else f'"{self.tag}"'

    def is_named_by(self, if_none_match: str) -> bool:
        """Whether the client already has it, in whatever coding (weak comparison)."""
        if not if_none_match:
            return False
        named = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
        return "*" in named or any(self.tag_in(coding) in named for coding in CODINGS)

    @property
    def size(self) -> int:
        return sum(map(len, self.forms.values())) + 256


@dataclass(frozen=True, slots=True)
class HotRead:
    """A read that this process's memory has just answered, for its repetition (gateway.middleware.hot_reads)."""

    cache: Cache[StoredResponse]
    place: Place
    entry: Entry[StoredResponse]
    body: bytes

    def repeats(self) -> bool:
        """Whether the same entry would answer now."""
        return self.cache.repeats(self.place, self.entry)

    def count(self) -> None:
        """It has."""
        self.cache.count_repetition()

    def age(self, now: float) -> int:
        """Whole seconds since before its load; `now` is monotonic."""
        return int(max(0.0, now - self.entry.loaded))


class Recorder:
    """Takes the messages of an application that answers, instead of a client or before one."""

    def __init__(self) -> None:
        self.status = 0
        self.messages: list[Message] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self._parts.append(message.get("body", b""))

    async def stored(self) -> StoredResponse:
        """What was answered, compressed where that is worth it."""
        body = b"".join(self._parts)
        fields = dict(self.headers)
        given = fields.get(b"etag", b"").decode("latin-1")
        version = version_of(given)
        tag = given.strip('"') or hashlib.blake2b(body, digest_size=12).hexdigest()
        forms = await compress_all(body) if len(body) >= MIN_BYTES else {"": body}
        return StoredResponse(forms, [pair for pair in self.headers if pair[0] not in _OWN], tag, version)


def absence(error: NotFound) -> StoredResponse:
    """A 404 that may be answered again."""
    return StoredResponse({}, [], "", 0, error.reason, error.detail)


def response_messages(
    stored: StoredResponse, coding: str, extra: Iterable[tuple[bytes, bytes]], *, unchanged: bool
) -> tuple[Message, Message]:
    """The start and the body of the response; 304 without a body if the client's copy is unchanged."""
    # A 304 has no body, so its tag is the plain one.
    coding = coding if coding in stored.forms and not unchanged else ""
    headers = [*stored.headers, (b"etag", stored.tag_in(coding).encode()), *extra]
    if unchanged:
        kept = [pair for pair in headers if pair[0] not in (b"content-type", b"link")]
        return {"type": "http.response.start", "status": 304, "headers": kept}, _body(b"")
    body = stored.forms[coding]
    headers.append((b"content-length", str(len(body)).encode()))
    if coding:
        headers.append((b"content-encoding", coding.encode()))
    return {"type": "http.response.start", "status": 200, "headers": headers}, _body(body)


def _body(content: bytes) -> Message:
    message: dict[str, Any] = {"type": "http.response.body", "body": content}
    return message


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(StoredResponse)
CODEC: Codec[StoredResponse] = Codec(_encoder.encode, _decoder.decode, lambda stored: stored.size)

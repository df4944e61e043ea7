"""Conditional requests (RFC 9110, 13): entity tags made of versions, and what If-Match, If-None-Match and X-Min-Version
ask.

A tag is "<version>", or "<version>-<digest of the bytes>" for a resource that changes within a version: a strong tag
names one sequence of bytes, while a write is bound to the version alone. Compression appends -gzip or -zstd.
"""

import hashlib
import re
from typing import Any

from gateway.http.request import Request
from libs.errors import Aborted, FailedPrecondition, invalid_parameter

_TAG = re.compile(r'(W/)?"(\d{1,18})(?:-[0-9a-f]{16})?(?:-gzip|-zstd)?"')
_CODING = re.compile(r'-(?:br|gzip|zstd)"$')

# No row ever has this version, so an If-Match that names none of ours is stale, whatever the row's version is.
NEVER = 0
# Of 18 digits, as the tags take them: more than any row will have, and no overflow in a store.
LARGEST_VERSION = 10**18 - 1


def entity_tag(version: int) -> str:
    """The strong tag of a resource at a version."""
    return f'"{version}"'


def entity_tag_of(version: int, body: bytes) -> str:
    """The strong tag of a resource at a version under which its bytes may change."""
    return f'"{version}-{hashlib.blake2b(body, digest_size=8).hexdigest()}"'


def version_of(tag: str) -> int:
    """The version that a tag names; 0 for a tag that names bytes alone."""
    found = _TAG.fullmatch(tag)
    return int(found[2]) if found else 0


def is_unchanged(if_none_match: str, version: int) -> bool:
    """Whether the client already has this version (weak comparison); such a read answers 304."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or version in _versions(if_none_match, weak=True)


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether the client already has the bytes of this tag, in whatever coding."""
    named = (_CODING.sub('"', part.strip().removeprefix("W/")) for part in if_none_match.split(","))
    return any(part in ("*", f'"{tag}"') for part in named)


def expected_version(request: Request[Any, Any, Any]) -> int | None:
    """The version that a write requires; None without If-Match or with `*`. The endpoint has reduced several tags to
    one before."""
    if_match = request.header("if-match")
    if not if_match or if_match.strip() == "*":
        return None
    return max(_versions(if_match, weak=False), default=NEVER)


def is_met(if_match: str, version: int) -> bool:
    """Whether a resource at this version satisfies If-Match (strong comparison)."""
    return not if_match or if_match.strip() == "*" or version in _versions(if_match, weak=False)


def require_version(request: Request[Any, Any, Any], version: int) -> None:
    """Refuse (412) unless the resource's version is one that If-Match names."""
    if not is_met(request.header("if-match"), version):
        raise FailedPrecondition(
            "stale_version", "The resource has changed since. Read it again and repeat the change."
        )


def require_reached(demanded: int, version: int) -> None:
    """Refuse (409) a read of an older version than X-Min-Version demands."""
    if version < demanded:
        raise Aborted(
            "version_not_reached",
            "The resource has not reached this version. Wait as Retry-After says, or ask for a version that exists.",
            retry_after=1,
        )


def demanded_version(request: Request[Any, Any, Any]) -> int:
    """The version that a read demands by X-Min-Version; 0 for any."""
    text = request.header("x-min-version").strip('"')
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise invalid_parameter("X-Min-Version", "Send a version number as X-Min-Version.", "invalid_header")
    return int(text or 0)


def _versions(header: str, *, weak: bool) -> set[int]:
    found = (_TAG.fullmatch(part.strip()) for part in header.split(","))
    return {int(tag[2]) for tag in found if tag is not None and (weak or tag[1] is None)}

"""Conditional requests (RFC 9110, 13): entity tags made of versions, and what If-Match and If-None-Match ask.

A tag is "<version>"; compression appends -gzip or -zstd, and every spelling of a version is understood. Pure.
"""

import re

_TAG = re.compile(r'(W/)?"(\d{1,18})(?:-gzip|-zstd)?"')

# No row ever has this version, so an If-Match that names none of ours is stale, whatever the row's version is.
NEVER = 0


def entity_tag(version: int) -> str:
    """The strong tag of a resource at a version."""
    return f'"{version}"'


def is_unchanged(if_none_match: str, version: int) -> bool:
    """Whether the client already has this version (weak comparison); such a read answers 304."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or version in _versions(if_none_match, weak=True)


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether the client already has the content of this tag, which is no version but names bytes that never change."""
    named = (part.strip().removeprefix("W/") for part in if_none_match.split(","))
    return any(part in ("*", f'"{tag}"') for part in named)


def expected_version(if_match: str) -> int | None:
    """The version that a write insists on; None without a condition or with `*`. Several tags were settled before."""
    if not if_match or if_match.strip() == "*":
        return None
    return max(_versions(if_match, weak=False), default=NEVER)


def is_met(if_match: str, version: int) -> bool:
    """Whether a resource at this version satisfies If-Match (strong comparison)."""
    return not if_match or if_match.strip() == "*" or version in _versions(if_match, weak=False)


def _versions(header: str, *, weak: bool) -> set[int]:
    found = (_TAG.fullmatch(part.strip()) for part in header.split(","))
    return {int(tag[2]) for tag in found if tag is not None and (weak or tag[1] is None)}

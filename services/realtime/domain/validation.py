"""Rules for what a customer says about a webhook endpoint; every broken one is named at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from urllib.parse import urlsplit

from libs.errors import Violation
from services.realtime.domain.delivery import CONTENT_TYPES

# Characters of a URL.
MAX_URL = 2_000
# Characters of a description.
MAX_DESCRIPTION = 500
# Event types or patterns of an endpoint.
MAX_EVENT_TYPES = 50


def violations_of(
    url: str, event_types: Sequence[str], description: str, content_type: str, topics: Collection[str]
) -> list[Violation]:
    """A violation per broken rule; `topics` are the known event types."""
    return [
        *_url(url),
        *_event_types(event_types, topics),
        *_description(description),
        *_content_type(content_type),
    ]


def _url(url: str) -> Iterator[Violation]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secret = bool(parts.username or parts.password)
    except ValueError:
        valid, secret = False, False
    if not valid or len(url) > MAX_URL or not url.isprintable() or " " in url:
        yield Violation("#/url", "invalid_url", f"Give an absolute http or https URL of at most {MAX_URL} characters.")
    elif secret:
        yield Violation("#/url", "credentials_in_url", "Leave user and password out; the signature authenticates us.")


def _event_types(event_types: Sequence[str], topics: Collection[str]) -> Iterator[Violation]:
    if not 1 <= len(event_types) <= MAX_EVENT_TYPES:
        yield Violation("#/eventTypes", "invalid_length", f'Name 1 to {MAX_EVENT_TYPES} event types, or "*" for all.')
    known = {"*", *topics, *(f"{topic.partition('.')[0]}.*" for topic in topics)}
    for index, event_type in enumerate(event_types):
        if event_type not in known:
            yield Violation(
                f"#/eventTypes/{index}", "unknown_event_type", "No such event type; see the events' documentation."
            )


def _description(description: str) -> Iterator[Violation]:
    if len(description) > MAX_DESCRIPTION:
        yield Violation("#/description", "too_long", f"Use at most {MAX_DESCRIPTION} characters.")


def _content_type(content_type: str) -> Iterator[Violation]:
    if content_type not in CONTENT_TYPES:
        yield Violation("#/contentType", "invalid_choice", f"Must be one of {', '.join(CONTENT_TYPES)}.")

"""A source: an address on the web whose pages are entries and follow it. Pure: every act returns a new value."""

from __future__ import annotations

import enum
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import unquote, urljoin, urlsplit

from libs.errors import InvalidArgument, Violation
from services.knowledge.domain.entry import Described
from services.knowledge.domain.media import SUPPORTED
from services.knowledge.domain.validation import TITLE_MAX, check_described, title_from_file_name

# Pages of one sitemap that are followed; further ones are left out.
PAGES_MAX = 200
# Seconds between refreshes, least and most.
REFRESH_SECONDS = (300, 30 * 86_400)
# Characters of an address.
_URL_MAX = 2_000
# A refresh that failed is tried again after this share of its interval.
_RETRY_SHARE = 4
_LOCATION = re.compile(r"<loc>\s*([^<]{1,2000}?)\s*</loc>", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,500})</title>", re.IGNORECASE)
_MEDIA = {media.name: media.extension for media in SUPPORTED} | {"application/xhtml+xml": "html"}


class Kind(enum.StrEnum):
    URL = "url"
    SITEMAP = "sitemap"


class State(enum.StrEnum):
    PENDING = "pending"
    CURRENT = "current"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Source:
    """`refresh_seconds` is 0 where only a request refreshes. `stale_since` is the first failed refresh after the last
    good one: from then on the entries may say what the address no longer says."""

    org_id: str
    id: str
    kind: Kind
    url: str
    title: str
    category: str
    tags: tuple[str, ...]
    refresh_seconds: int
    status: State
    error_code: str
    error_message: str
    page_count: int
    stale_since: datetime | None
    checked_at: datetime | None
    changed_at: datetime | None
    next_refresh_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page as it was read last: the entry that it became, and what tells whether it has changed since."""

    url: str
    entry_id: str
    etag: str
    last_modified: str
    sha256: str


def new_source(
    org_id: str, source_id: str, kind: Kind, url: str, described: Described, refresh_seconds: int, now: datetime
) -> Source:
    return Source(
        org_id=org_id, id=source_id, kind=kind, url=url, title=described.title, category=described.category,
        tags=described.tags, refresh_seconds=refresh_seconds, status=State.PENDING, error_code="", error_message="",
        page_count=0, stale_since=None, checked_at=None, changed_at=None, next_refresh_at=None, version=1,
        created_at=now, updated_at=now,
    )  # fmt: skip


def check_source(source: Source) -> Source:
    """With words trimmed; raises InvalidArgument with every violation found."""
    found: list[Violation] = []
    try:
        described = check_described(Described(source.title or "x", source.category, source.tags))
        source = replace(source, category=described.category, tags=described.tags, title=source.title.strip())
    except InvalidArgument as error:
        found += error.violations
    low, high = REFRESH_SECONDS
    if source.refresh_seconds and not low <= source.refresh_seconds <= high:
        found.append(
            Violation("#/refreshIntervalSeconds", "out_of_range", f"Must be between {low} and {high}, or null.")
        )
    found += _url(source.url)
    if found:
        raise InvalidArgument("validation_failed", "Some fields of the source are not valid.", violations=found)
    return source


def _url(url: str) -> Iterator[Violation]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secret = bool(parts.username or parts.password)
    except ValueError:
        valid, secret = False, False
    if not valid or len(url) > _URL_MAX or not url.isprintable() or " " in url:
        yield Violation("#/url", "invalid_url", f"Give an absolute http or https URL of at most {_URL_MAX} characters.")
    elif secret:
        yield Violation("#/url", "credentials_in_url", "Leave user and password out.")


def change(source: Source, given: Source, now: datetime) -> Source:
    """The source with another description; the same source when nothing changes."""
    changed = replace(
        source, title=given.title, category=given.category, tags=given.tags, refresh_seconds=given.refresh_seconds
    )
    if changed == source:
        return source
    planned = _planned(now, changed.refresh_seconds) if source.checked_at else None
    return replace(changed, next_refresh_at=planned, version=source.version + 1, updated_at=now)


def refreshed(source: Source, pages: int, changed: bool, now: datetime) -> Source:
    return replace(
        source, status=State.CURRENT, error_code="", error_message="", page_count=pages, stale_since=None,
        checked_at=now, changed_at=now if changed or source.changed_at is None else source.changed_at,
        next_refresh_at=_planned(now, source.refresh_seconds), version=source.version + 1, updated_at=now,
    )  # fmt: skip


def not_refreshed(source: Source, code: str, message: str, now: datetime) -> Source:
    """The entries stay as they are, and the source says since when they may be out of date."""
    return replace(
        source, status=State.FAILED, error_code=code, error_message=message, stale_since=source.stale_since or now,
        next_refresh_at=_planned(now, source.refresh_seconds // _RETRY_SHARE), version=source.version + 1,
        updated_at=now,
    )  # fmt: skip


def pages_of_sitemap(content: str, base: str) -> list[str]:
    """The addresses of a sitemap in order, on the sitemap's own host, without repetition."""
    host = urlsplit(base).netloc
    found = (urljoin(base, html.unescape(address)) for address in _LOCATION.findall(content))
    return list(dict.fromkeys(url for url in found if urlsplit(url).netloc == host and not any(_url(url))))[:PAGES_MAX]


def file_name_of(url: str, declared: str) -> str:
    """A name by which the page's kind is told: its own, with the ending of its declared type where it has one."""
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or urlsplit(url).hostname or "page"
    ending = _MEDIA.get(declared.partition(";")[0].strip().lower())
    return f"{name.rpartition('.')[0] or name}.{ending}" if ending else name


def title_of(url: str, content: str) -> str:
    """What the page calls itself, else the end of its address."""
    match = _TITLE.search(content)
    named = " ".join(html.unescape(match[1]).split()) if match else ""
    return named[:TITLE_MAX] or title_from_file_name(file_name_of(url, ""))


def _planned(now: datetime, seconds: int) -> datetime | None:
    return now + timedelta(seconds=max(seconds, REFRESH_SECONDS[0] // _RETRY_SHARE)) if seconds else None

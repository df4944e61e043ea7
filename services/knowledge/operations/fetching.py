"""Reads a page of the web, conditionally, through the outbound client and its address guard."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from libs.errors import FailedPrecondition, Unavailable
from libs.http import OutboundClient

# Seconds for one page with its redirects' last request.
_SECONDS = 20.0
# Redirects that are followed. Each address is checked again.
_REDIRECTS = 4
# Statuses of a redirect.
_MOVED = (301, 302, 303, 307, 308)
# Statuses of a page that is no more.
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content` is None where the page is as it was; `gone` where the server says that there is none."""

    content: bytes | None
    media_type: str = ""
    etag: str = ""
    last_modified: str = ""
    gone: bool = False

    @property
    def text(self) -> str:
        return (self.content or b"").decode("utf-8", "replace")


class Fetching:
    def __init__(self, client: OutboundClient, most_bytes: int) -> None:
        self._client = client
        self._most_bytes = most_bytes

    async def fetch(self, url: str, etag: str = "", last_modified: str = "") -> Fetched:
        """Raises InvalidArgument("forbidden_address"), Unavailable and DeadlineExceeded of the outbound client,
        Unavailable("source_unavailable") for 429 and 5xx, FailedPrecondition("source_refused") for other answers."""
        headers = {"accept": "text/html, application/xml;q=0.9, */*;q=0.8"}
        headers |= {"if-none-match": etag} if etag else {}
        headers |= {"if-modified-since": last_modified} if last_modified else {}
        for _ in range(_REDIRECTS + 1):
            answer = await self._client.request(
                "GET", url, headers=headers, timeout=_SECONDS, max_bytes=self._most_bytes
            )
            if answer.status_code not in _MOVED:
                break
            url = urljoin(url, answer.headers.get("location", ""))
        status = answer.status_code
        if status == 304:
            return Fetched(None, "", etag, last_modified)
        if status in _GONE:
            return Fetched(None, gone=True)
        if status == 429 or status >= 500:
            raise Unavailable("source_unavailable", f"The address answered {status}.", retry_after=30.0)
        if status != 200:
            raise FailedPrecondition("source_refused", f"The address answered {status}.")
        given = answer.headers
        return Fetched(
            answer.content, given.get("content-type", ""), _short(given.get("etag", "")),
            _short(given.get("last-modified", "")),
        )  # fmt: skip

    async def close(self) -> None:
        await self._client.close()


def _short(value: str) -> str:
    """A validator worth keeping: printable and no longer than servers make them."""
    return value if len(value) <= 300 and value.isprintable() else ""

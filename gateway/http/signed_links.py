"""Links that work for a few minutes without a credential: an HMAC-SHA-256 over the path's subject, the organization and
the time at which the link expires. It must not know what a link opens.
"""

import hmac
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from gateway.http.schema import Query
from libs.errors import NotFound, PermissionDenied

# How long a link works at most, in seconds.
LINK_SECONDS = 300
# All links of so many seconds are the same, so that the edge cache may keep an answer which shows one as long.
RENEWED_SECONDS = 60


class LinkQuery(Query):
    """What a signed link carries; only links that the API gave are valid."""

    organization: str = ""
    # Seconds since 1970.
    expires: str = ""
    signature: str = ""


class SignedLinks:
    """Makes and checks links. All gateways share the secret."""

    def __init__(self, secret: bytes, public_url: str, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._public_url = public_url
        self._now = now

    def url(self, path: str, organization: str) -> str:
        """The whole URL of a path, valid for the rest of LINK_SECONDS that began with this minute."""
        expires = str(int(self._now()) // RENEWED_SECONDS * RENEWED_SECONDS + LINK_SECONDS)
        signature = self._signature(path, organization, expires)
        query = {"organization": organization, "expires": expires, "signature": signature}
        return f"{self._public_url}{path}?{urlencode(query)}"

    def check(self, path: str, link: LinkQuery) -> None:
        """403 for a link that was not made here, 410 for one that has expired."""
        wanted = self._signature(path, link.organization, link.expires)
        if not hmac.compare_digest(wanted.encode(), link.signature.encode()):
            raise PermissionDenied("invalid_link", "Use the link as the API gave it.")
        if self._now() >= int(link.expires):
            raise NotFound("link_expired", "The link has expired. Read the resource again for a fresh one.")

    def _signature(self, *parts: Any) -> str:
        signed = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.digest(self._secret, signed, "sha256").hex()

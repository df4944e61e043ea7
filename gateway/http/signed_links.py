"""Links that work for a few minutes without a credential: an HMAC-SHA-256 over the path's subject, the organization and
the time at which the link expires. It must not know what a link opens.
"""

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

from gateway.http.schema import Query
from libs.crypto import framed
from libs.errors import NotFound, PermissionDenied
from libs.keys import MacKeys, mac_keys

# How long a link works at most, in seconds.
LINK_SECONDS = 300
# All links of so many seconds are the same, so that the edge cache may keep an answer which shows one as long.
RENEWED_SECONDS = 60
_SIGNATURE = re.compile("[0-9a-f]{64}", re.ASCII)


class LinkQuery(Query):
    """What a signed link carries; only links that the API gave are valid."""

    organization: str = ""
    # Seconds since 1970.
    expires: str = ""
    signature: str = ""


class SignedLinks:
    """Makes and checks links. All gateways share the secret."""

    def __init__(self, secret: bytes | MacKeys, public_url: str, now: Callable[[], float] = time.time) -> None:
        self._keys = mac_keys(secret)
        self._public_url = public_url
        self._now = now

    def url(self, path: str, organization: str) -> str:
        """The whole URL of a path, valid for the rest of LINK_SECONDS that began with this minute."""
        expires = str(int(self._now()) // RENEWED_SECONDS * RENEWED_SECONDS + LINK_SECONDS)
        signature = self._keys.sign(_signed(path, organization, expires)).hex()
        query = {"organization": organization, "expires": expires, "signature": signature}
        return f"{self._public_url}{path}?{urlencode(query)}"

    def check(self, path: str, link: LinkQuery) -> None:
        """403 for a link that was not made here, 410 for one that has expired."""
        signed = _signed(path, link.organization, link.expires)
        if not _SIGNATURE.fullmatch(link.signature) or not self._keys.verify(signed, bytes.fromhex(link.signature)):
            raise PermissionDenied("invalid_link", "Use the link as the API gave it.")
        if self._now() >= int(link.expires):
            raise NotFound("link_expired", "The link has expired. Read the resource again for a fresh one.")


def _signed(*parts: str) -> bytes:
    return framed(part.encode() for part in parts)

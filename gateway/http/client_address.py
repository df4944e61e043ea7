"""The client's address behind trusted proxies.

Each trusted proxy appends the address it saw, so the client is the n-th from the right; everything left of it is the
client's own claim. A list that is too short, or whose entry is no IP address, did not come through our proxies: then
the peer's address counts. Pure.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any


def client_address(scope: Mapping[str, Any], forwarded_for: str, trusted_proxies: int) -> str:
    """The client's address as text; empty when unknown."""
    if trusted_proxies > 0 and forwarded_for:
        hops = forwarded_for.split(",")
        if len(hops) >= trusted_proxies and (address := _address(hops[-trusted_proxies].strip())):
            return address
    client = scope.get("client")
    return str(client[0]) if client else ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""

"""Who is at the other end of the connection, believing only the proxies that are ours.

Each trusted proxy appends the address it saw, so the client is the n-th from the right; everything left of it is the
client's own claim. Pure.
"""

from collections.abc import Mapping
from typing import Any


def client_address(scope: Mapping[str, Any], forwarded_for: str, trusted_proxies: int) -> str:
    """The client's address as text; empty when unknown."""
    if trusted_proxies > 0 and forwarded_for:
        hops = [hop.strip() for hop in forwarded_for.split(",")]
        return hops[-min(trusted_proxies, len(hops))][:64]
    client = scope.get("client")
    return str(client[0]) if client else ""

"""IP addresses as limits count them. Pure."""

import functools
import ipaddress

# An IPv6 customer owns a /64 at least (RFC 6177), so a single address says nothing.
_IPV6_PREFIX = 64


@functools.lru_cache(maxsize=4_096)
def address_prefix(ip_address: str) -> str:
    """The address that a limit counts by: IPv4 whole, IPv6 by its /64; empty for what is no address."""
    try:
        address = ipaddress.ip_address(ip_address)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address)

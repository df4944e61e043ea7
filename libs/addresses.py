"""IP addresses: as limits count them, and whether one is within networks. Pure."""

import functools
import ipaddress
from collections.abc import Iterable

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


def is_within(ip_address: str, networks: Iterable[str]) -> bool:
    """Whether the address is in one of the networks (CIDR). An IPv4 address in IPv6's form is the IPv4 address; what is
    no address is in none."""
    try:
        address = ipaddress.ip_address(ip_address)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in _network(network) for network in networks)


@functools.lru_cache(maxsize=1_024)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)

"""Which addresses the suite may call: the public internet, and what OUTBOUND_ALLOW names. Pure; resolves nothing.

An allow list rather than a deny list for IPv6: of the global unicast block, and without the ranges of it that carry an
IPv4 address or serve documentation. The ranges follow the IANA special-purpose address registries (RFC 6890 and its
updates).
"""

import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import idna

_CLOSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent
        "169.254.0.0/16",  # link-local, metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",
    )
)
_INNER_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa")
_HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
# Characters of a URL; longer ones are refused by many servers.
_MAX_URL = 2_048
# Of ASCII everything: `parse_target` refuses what must not stand there.
_WRITTEN_AS_IT_IS = "".join(map(chr, range(128)))
_PORTS = {"http": 80, "https": 443}

IPAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a checked URL leads: `host` in ASCII without brackets, `path` as it goes on the wire."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AllowedAddress:
    """One entry of OUTBOUND_ALLOW: "127.0.0.1:9900", "127.0.0.1:9900-9999", "[::1]:8000", "collector.internal:443"."""

    host: str
    first_port: int
    last_port: int

    @classmethod
    def parse(cls, text: str) -> "AllowedAddress":
        match = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^\s:\[\]]+)):(\d{1,5})(?:-(\d{1,5}))?", text.strip())
        if match is None:
            raise ValueError("OUTBOUND_ALLOW wants host:port or host:first-last, comma separated")
        v6, name, first, last = match.groups()
        return cls(_canonical((v6 or name).lower()), int(first), int(last or first))

    def covers(self, host: str, port: int) -> bool:
        return host == self.host and self.first_port <= port <= self.last_port


@lru_cache(maxsize=16)
def parse_allowed(entries: tuple[str, ...]) -> tuple[AllowedAddress, ...]:
    """The entries of OUTBOUND_ALLOW; ValueError when one cannot be read."""
    return tuple(AllowedAddress.parse(entry) for entry in entries)


def is_public(address: IPAddress) -> bool:
    """Whether an address belongs to the public internet and to nothing else."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _CLOSED_V4)
    if address.scope_id or address not in _OPEN_V6:
        return False
    return not any(address in block for block in _CLOSED_V6)


def forbidden_address(url: str, allow: Iterable[str] = ()) -> str | None:
    """Why this URL may not be called, or None. Looks at the text only: what a name resolves to is checked at each
    connection again."""
    try:
        target = parse_target(url)
        allowed = parse_allowed(tuple(allow))
    except ValueError as error:
        return str(error)
    if any(entry.covers(target.host, target.port) for entry in allowed):
        return None
    literal = _literal(target.host)
    if literal is not None:
        return None if is_public(literal) else "the address is not public"
    if any(target.host == name or target.host.endswith("." + name) for name in _INNER_NAMES):
        return "the host is not public"
    return None


def ascii_url(url: str) -> str:
    """The URL as it goes on the wire: the host as its A-labels (IDNA 2008 after UTS 46), other characters outside of
    ASCII percent-encoded. ValueError with a reason where that cannot be done."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the URL cannot be read") from None
    if "@" in parts.netloc:
        raise ValueError("the URL must not carry a user name or password")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("the URL names a host that no domain name can be") from None
    netloc = host if port is None else f"{host}:{port}"
    rest = (quote(part, safe=_WRITTEN_AS_IT_IS) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, netloc, *rest))


def parse_target(url: str) -> Target:
    """The URL's parts; ValueError with a reason for anything but a plain http or https URL of ASCII characters."""
    if len(url) > _MAX_URL or _UNSAFE.search(url):
        raise ValueError("the URL is too long or holds characters that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL cannot be read") from None
    if parts.scheme not in _PORTS:
        raise ValueError("the URL must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("the URL must not carry a user name or password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, _checked_host(parts), _PORTS[parts.scheme] if port is None else port, path)


def _checked_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if parts.netloc.startswith("["):
        if _literal(host) is None:
            raise ValueError("the URL names no host")
        return _canonical(host)
    if len(host) > 253 or _HOST.fullmatch(host) is None or ".." in host:
        raise ValueError("the URL names no host")
    if parts.port == 0:
        raise ValueError("the URL names no port")
    return _canonical(host)


def _canonical(host: str) -> str:
    """Addresses in one spelling, so that 127.1 and 0x7f000001 are 127.0.0.1; names as they are."""
    literal = _literal(host)
    return host if literal is None else str(literal)


def _literal(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        # What getaddrinfo also takes for an address: octal, hexadecimal, fewer than four parts.
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None

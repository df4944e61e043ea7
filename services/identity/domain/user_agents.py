"""Where a session was opened: browser and system by the user agent, and the network of the address.

Only what people recognize; a user agent is the client's own word, so nothing is decided by it.
"""

from __future__ import annotations

import ipaddress
import re

# Order matters: most browsers name others too, for the sake of old pages.
_BROWSERS = (
    ("Edge", re.compile(r"Edg(?:A|iOS)?/(\d+)")),
    ("Opera", re.compile(r"OPR/(\d+)")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/(\d+)")),
    ("Firefox", re.compile(r"(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"(?:Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"Version/(\d+)[\d.]* (?:Mobile/\S+ )?Safari/")),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows NT"),
    ("ChromeOS", "CrOS"),
    ("macOS", "Macintosh"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"([A-Za-z][\w.-]{0,40})(?:/(\d+(?:\.\d+)?))?")
# Bits of a network that people know by: a provider's or an office's.
_IPV4_PREFIX, _IPV6_PREFIX = 24, 48


def device_of(user_agent: str) -> str:
    """Such as "Firefox 128 on Linux", or the product that a program names; empty when nothing is known."""
    browser = next((f"{name} {found[1]}" for name, form in _BROWSERS if (found := form.search(user_agent))), "")
    system = next((name for name, word in _SYSTEMS if word in user_agent), "")
    if browser or user_agent.startswith("Mozilla/"):
        return " on ".join(filter(None, (browser or "A browser", system)))
    product = _PRODUCT.match(user_agent)
    return " ".join(filter(None, product.groups())) if product else ""


def network_of(ip_address: str) -> str:
    """Such as 192.0.2.0/24; empty for what is no address."""
    try:
        address = ipaddress.ip_address(ip_address)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = _IPV4_PREFIX if address.version == 4 else _IPV6_PREFIX
    return str(ipaddress.ip_network((address, prefix), strict=False))

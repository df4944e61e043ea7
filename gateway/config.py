"""The gateway's settings: its address, its peers and its public URL. Read once by libs.config."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from libs.cache.classes import CLASSES
from libs.cache.spec import tuned
from libs.config import ConfigError, ProcessSettings, limits_problems, setting, settings_map
from libs.urls import HTTP, WEBSOCKET, Url
from suite.services import SERVICES

# Of RFC 9116, 2.5.3, the forms that people use.
_CONTACT = re.compile(r"mailto:[!-~]+@[!-~]+|https://[!-~]+|tel:\+?[0-9().-]+")
# Beyond a year a contact may be stale (RFC 9116, 2.5.5).
_CONTACT_DAYS_MAX = 365


@dataclass(frozen=True, slots=True)
class GatewaySettings(ProcessSettings):
    """The gateway's environment."""

    http_address: str = setting("GATEWAY_ADDRESS", "127.0.0.1:8080", help="host:port of the public HTTP server")
    public_url: str = setting(
        "PUBLIC_URL", "http://127.0.0.1:8080", url=HTTP, help="how clients reach it; https turns TLS rules on"
    )
    realtime_public_url: str = setting(
        "REALTIME_PUBLIC_URL", "ws://127.0.0.1:8081", url=WEBSOCKET, help="where the console's sockets may connect"
    )
    peers: Mapping[str, str] = settings_map(
        {name: (service.address_setting, service.local_address) for name, service in SERVICES.items()},
        help="host:port, comma list",
    )
    cors_origins: tuple[str, ...] = setting("CORS_ORIGINS", (), help="exact origins that browsers may call from")
    cache_ttls: tuple[str, ...] = setting(
        "CACHE_TTLS", (), help="class=seconds, comma list: lives of cached values in place of those in docs/caching.md"
    )
    trusted_proxies: int = setting("TRUSTED_PROXIES", 0, help="how many proxies in front append to X-Forwarded-For")

    limits: str = setting("LIMITS", "normal", help="normal, or bench to raise rate limits for benches and fault runs")
    places: int = setting("GATEWAY_PLACES", 128, help="requests that a gateway works on at a time, at most")
    instances: int = setting("GATEWAY_INSTANCES", 1, help="gateways that share each rate limit while Redis is away")
    security_contacts: tuple[str, ...] = setting(
        "SECURITY_CONTACTS",
        (),
        help="mailto:, https: or tel: URIs of /.well-known/security.txt, the preferred first; none: it answers 404",
    )
    security_policy_url: str = setting(
        "SECURITY_POLICY_URL", "", url=Url(("https",)), help="the policy that security.txt names"
    )
    security_contact_days: int = setting(
        "SECURITY_CONTACT_DAYS", 180, help="how long security.txt says that it holds, 1 to 365"
    )

    def problems(self) -> list[str]:
        found = ProcessSettings.problems(self)
        found += limits_problems(self, self.limits, "raises the rate limits")
        found += [f"{name} must be at least 1" for name, number in self._counts().items() if number < 1]
        found += [
            "SECURITY_CONTACTS must be mailto:, https: or tel: URIs"
            for contact in self.security_contacts
            if not _CONTACT.fullmatch(contact)
        ][:1]
        if not 1 <= self.security_contact_days <= _CONTACT_DAYS_MAX:
            found.append(f"SECURITY_CONTACT_DAYS must be 1 to {_CONTACT_DAYS_MAX}")
        try:
            tuned(CLASSES, self.cache_ttls)
        except ConfigError as error:
            found += error.problems
        return found

    def _counts(self) -> dict[str, int]:
        return {"GATEWAY_PLACES": self.places, "GATEWAY_INSTANCES": self.instances}

    @property
    def over_tls(self) -> bool:
        """Whether clients reach us by https."""
        return self.public_url.startswith("https://")

    @property
    def device_cookie_name(self) -> str:
        """The cookie by which a device is known at its next login."""
        return "__Host-echosenseix_device" if self.over_tls else "echosenseix_device"

    @property
    def cookie_name(self) -> str:
        """The session cookie; under TLS bound to this host by its prefix (RFC 6265bis, 4.1.3)."""
        return "__Host-echosenseix_session" if self.over_tls else "echosenseix_session"

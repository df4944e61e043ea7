"""What the identity service reads from its environment."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from libs.config import ServiceSettings, limits_problems, outbound_problems, setting
from libs.urls import HTTP


@dataclass(frozen=True, slots=True)
class IdentitySettings(ServiceSettings):
    password_workers: int = setting("PASSWORD_WORKERS", 2, help="threads that compute argon2id")
    limits: str = setting("LIMITS", "normal", help="normal, or bench to lift sign-in limits for benches and fault runs")
    email_verification: str = setting(
        "EMAIL_VERIFICATION", "", help="link or none; without it link in production and none locally"
    )
    openid_issuer: str = setting(
        "OPENID_ISSUER", "", url=HTTP, help="the OpenID provider that people may sign in with; none without it"
    )
    openid_client_id: str = setting("OPENID_CLIENT_ID", "", help="as the provider knows this installation")
    openid_client_secret: str = setting("OPENID_CLIENT_SECRET", "", secret=True)
    outbound_allow: tuple[str, ...] = setting("OUTBOUND_ALLOW", (), help="host:port exceptions of the address guard")

    operator_organizations: tuple[str, ...] = setting(
        "OPERATOR_ORGANIZATIONS",
        (),
        help="ids that may set rate limits and see the suite's figures, comma list; locally the first organization",
    )
    dns_resolvers: tuple[str, ...] = setting(
        "DNS_RESOLVERS", (), help="IP:port list of resolvers that prove hosts; without it those of the machine"
    )

    @property
    def operators(self) -> tuple[str, ...] | None:
        """The organizations that operate the platform; None: the first one."""
        return None if not self.operator_organizations and not self.production else self.operator_organizations

    @property
    def verifies_by_mail(self) -> bool:
        """Whether an account exists only once a mailed link was followed."""
        return self.email_verification == "link" or (not self.email_verification and self.production)

    def problems(self) -> list[str]:
        found = ServiceSettings.problems(self) + outbound_problems(self, self.outbound_allow)
        openid = (self.openid_issuer, self.openid_client_id, self.openid_client_secret)
        # A value that is wrong by itself is told alone.
        if not found and any(openid) and not all(openid):
            found.append("OPENID_ISSUER, OPENID_CLIENT_ID and OPENID_CLIENT_SECRET must be set together")
        elif not found and any(openid) and not self.verifies_by_mail:
            # A subject is linked with the account of its address, so each registration must have proved its own.
            found.append("EMAIL_VERIFICATION must be link where OPENID_ISSUER is set")
        if not all(_is_resolver(entry) for entry in self.dns_resolvers):
            found.append("DNS_RESOLVERS must be a list of IP:port")
        found += limits_problems(self, self.limits, "lifts the limits of sign-in")
        if self.email_verification not in ("", "link", "none"):
            found.append("EMAIL_VERIFICATION must be link or none")
        elif self.production and self.email_verification == "none":
            found.append("EMAIL_VERIFICATION must be link in production: accounts without it answer who is registered")
        return found


def _is_resolver(entry: str) -> bool:
    host, _, port = entry.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return port.isdecimal() and 0 < int(port) < 65_536

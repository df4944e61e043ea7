"""The secrets of one local installation: made once, kept in one folder that only the owner can read.

Principal signing keys per issuer, encryption and cursor keys per service, passwords of the
database roles and of NATS users. In production the same names come from a secret store as files.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local.stores.store import StoreFailed, write_private
from suite.services import SERVICES


@dataclass(frozen=True)
class Keys:
    """Texts by name, as stored; the methods shape them as the settings of a process want them."""

    values: dict[str, str]

    @classmethod
    def load_or_create(cls, file: Path) -> Keys:
        """Missing names are added to an older file, so that an update of the suite finds its new keys."""
        try:
            known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        except ValueError:
            raise StoreFailed(f"{file} is no JSON: put the installation's secrets back.") from None
        # Known values win: a fresh encryption key in their place would make stored secrets unreadable.
        values = {**fresh_values(), **known}
        if values != known:
            write_private(file, json.dumps(values, indent=2))
        return cls(values)

    @classmethod
    def ephemeral(cls, services: Iterable[str] = tuple(SERVICES)) -> Keys:
        """Kept nowhere; for tests, which may name services that the suite does not have."""
        return cls(fresh_values(tuple(services)))

    def signing_key(self, issuer: str) -> str:
        return f"{issuer}={self.values[f'principal.{issuer}']}"

    def trusted_keys(self) -> str:
        seeds = {name.partition(".")[2]: seed for name, seed in self.values.items() if name.startswith("principal.")}
        return ",".join(f"{issuer}={_public(seed)}" for issuer, seed in seeds.items())

    def role_password(self, service: str, role: str) -> str:
        return self.values[f"password.{service}.{role}"]

    def bus_password(self, service: str) -> str:
        """Of the deployable's user in NATS."""
        return self.values[f"nats.{service}"]

    def service_environment(self, service: str) -> dict[str, str]:
        """What every process of this service needs to sign, verify, encrypt and page; stores and addresses apart."""
        signing = {"PRINCIPAL_SIGNING_KEY": self.signing_key(service)}
        if service == "gateway":  # it holds no data and verifies no principal: it only signs them
            return signing
        signing["PRINCIPAL_TRUSTED_KEYS"] = self.trusted_keys()
        tokens = {"REALTIME_TOKEN_KEYS": f"k1={self.values['realtime.token']}"} if service == "realtime" else {}
        return (
            signing
            | tokens
            | {
                "ENCRYPTION_KEYS": f"k1={self.values[f'encryption.{service}']}",
                "CURSOR_KEY": self.values[f"cursor.{service}"],
                "DATABASE_APP_PASSWORD": self.role_password(service, "app"),
                "DATABASE_SYSTEM_PASSWORD": self.role_password(service, "system"),
            }
        )


def fresh_values(services: Iterable[str] = tuple(SERVICES)) -> dict[str, str]:
    """A new random value for every name."""
    seeds = {f"principal.{issuer}": _random_key() for issuer in ("gateway", *services)}
    per_service = {f"{use}.{service}": _random_key() for use in ("encryption", "cursor") for service in services}
    # Hexadecimal, because they travel in URLs, where base64's "/" and "+" would need escapes.
    passwords = {
        f"password.{service}.{role}": secrets.token_hex(16) for service in services for role in ("app", "system")
    }
    logins = {f"nats.{name}": secrets.token_hex(16) for name in ("gateway", *services)}
    return {**seeds, **per_service, **passwords, **logins, "realtime.token": _random_key()}


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _public(seed: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()

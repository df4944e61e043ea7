"""The secrets of one local installation: made once, kept in one folder that only the owner can read.

Principal signing keys per issuer, encryption and cursor keys per service, passwords of the
database roles and of NATS users. In production the same names come from a secret store as files. What rotates is a list
"kid=<base64>,…" whose first key makes (local.runner.rotation); an older installation has one bare key.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.clock import utcnow
from libs.keys import new_key, new_kid
from local.runner.rotation import kid_of
from local.stores.store import StoreFailed, write_private
from suite.services import SERVICES

# The id of a bare key, in what it encrypted or signed.
BARE_KID = "k1"


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
        keys = cls(completed(known))
        if keys.values != known:
            keys.save(file)
        return keys

    def save(self, file: Path) -> None:
        write_private(file, json.dumps(self.values, indent=2))

    @classmethod
    def ephemeral(cls, services: Iterable[str] = tuple(SERVICES)) -> Keys:
        """Kept nowhere; for tests, which may name services that the suite does not have."""
        return cls(fresh_values(tuple(services)))

    def signing_key(self, issuer: str) -> str:
        name, seed = self._principals(issuer)[0]
        return f"{name}={seed}"

    def trusted_keys(self) -> str:
        issuers = (name.partition(".")[2] for name in self.values if name.startswith("principal."))
        return ",".join(f"{name}={_public(seed)}" for issuer in issuers for name, seed in self._principals(issuer))

    def _principals(self, issuer: str) -> list[tuple[str, str]]:
        """(issuer/kid, seed) of each key, the one that signs first. A bare key has no id, and signs without one."""
        found = []
        for entry in self.values[f"principal.{issuer}"].split(","):
            kid = kid_of(entry)
            found.append((f"{issuer}/{kid}", entry.removeprefix(f"{kid}=")) if kid else (issuer, entry))
        return found

    def _named(self, name: str) -> str:
        """The list, with an id for a bare key too."""
        return ",".join(entry if kid_of(entry) else f"{BARE_KID}={entry}" for entry in self.values[name].split(","))

    def role_password(self, service: str, role: str) -> str:
        return self.values[f"password.{service}.{role}"]

    def bus_password(self, service: str) -> str:
        """Of the deployable's user in NATS."""
        return self.values[f"nats.{service}"]

    def service_environment(self, service: str) -> dict[str, str]:
        """What every process of this service needs to sign, verify, encrypt and page; stores and addresses apart."""
        signing = {"PRINCIPAL_SIGNING_KEY": self.signing_key(service)}
        if service == "gateway":  # it holds no data and verifies no principal: it only signs them
            return signing | {"CURSOR_KEY": self.values["cursor.gateway"]}
        signing["PRINCIPAL_TRUSTED_KEYS"] = self.trusted_keys()
        tokens = {"REALTIME_TOKEN_KEYS": self._named("realtime.token")} if service == "realtime" else {}
        return (
            signing
            | tokens
            | {
                "ENCRYPTION_KEYS": self._named(f"encryption.{service}"),
                "CURSOR_KEY": self.values[f"cursor.{service}"],
                "DATABASE_APP_PASSWORD": self.role_password(service, "app"),
                "DATABASE_SYSTEM_PASSWORD": self.role_password(service, "system"),
            }
        )


def completed(known: Mapping[str, str]) -> dict[str, str]:
    """The values with those that a newer release knows. Known ones win: a fresh encryption key in their place would
    make stored secrets unreadable."""
    fresh, gateway = fresh_values(), known.get("principal.gateway", "")
    if "cursor.gateway" not in known and gateway and not kid_of(gateway):
        # What releases before this key derived their cursors, links and fingerprints from.
        fresh["cursor.gateway"] = base64.b64encode(f"gateway={gateway}".encode()).decode()
    return {**fresh, **known}


def fresh_values(services: Iterable[str] = tuple(SERVICES)) -> dict[str, str]:
    """A new random value for every name."""
    kid, names = new_kid(utcnow()), ("gateway", *services)
    rotating = [
        *(f"principal.{issuer}" for issuer in names), *(f"encryption.{service}" for service in services),
        *(f"cursor.{name}" for name in names), "realtime.token",
    ]  # fmt: skip
    # Hexadecimal, because they travel in URLs, where base64's "/" and "+" would need escapes.
    passwords = {
        f"password.{service}.{role}": secrets.token_hex(16) for service in services for role in ("app", "system")
    }
    logins = {f"nats.{name}": secrets.token_hex(16) for name in names}
    return {**{name: f"{kid}={new_key()}" for name in rotating}, **passwords, **logins}


def _public(seed: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()

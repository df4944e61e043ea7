"""Who acts: the signed principal that one process of the suite shows another in every call.

A compact JWS (RFC 7515) with EdDSA and nothing else to negotiate: 60 seconds of life, minted once per principal and
audience and reused for 30, verified ones remembered until they expire. Only the gateway's key may speak for users,
API keys and organizations; every other issuer speaks as a service. A key is written "issuer/kid=base64"; its id is the
header's `kid`. One without an id signs without, as releases before key ids verify it. A principal with grants has an
audience of its own, so that a release that does not know grants refuses it (docs/adr/0042-agent-grants.md).
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.cache import Memory
from libs.errors import AppError, PermissionDenied, Unauthenticated

# Seconds that a principal is valid. Longer: a stolen one serves for longer.
LIFETIME_SECONDS = 60
# Seconds that a minted principal is reused, so that most calls sign nothing. Longer: less of its life is left at the
# peer.
REUSE_SECONDS = 30
# Seconds by which clocks may differ.
_LEEWAY_SECONDS = 5
# Verified tokens in memory. More callers than this within a minute are verified again.
_REMEMBERED = 4_096
# Characters of a token; longer ones are refused unread. One with 100 grants has 5,200, and a call carries two of them
# in the 16 KiB of metadata that a server takes.
_MAX_TOKEN = 6_144
# Follows the audience of principals that are limited by grants.
_GRANTS_AUDIENCE = "+grants"

GATEWAY = "gateway"
ROLE_SERVICE = "service"
ROLE_GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Grants:
    """The resources by id that a principal is limited to: it reads all of `readable` and changes those in `writable`,
    which are among them."""

    readable: frozenset[str] = frozenset()
    writable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, for which organization, with which rights. `role` is owner, admin, member, viewer, service, or gateway
    (the edge before anyone has logged in). `issuer` names the process kind whose key signed it."""

    org_id: str = ""
    user_id: str = ""
    session_id: str = ""
    api_key_id: str = ""
    role: str = ""
    scopes: frozenset[str] = frozenset()
    issuer: str = ""
    # When the session or API key ends, in seconds since 1970; 0: never, or not told.
    expires_at: int = 0
    # Networks from which the API key may be used; none: from anywhere. The gateway checks them; no token has them.
    allowed_addresses: tuple[str, ...] = ()
    # The organization that the user or the API key belongs to, where it acts in another one; else empty.
    home_org_id: str = ""
    # Rate limits in percent of the usual ones. The gateway counts by them; no token has them.
    limit_percent: int = 100
    # None: all resources that the scopes reach. Only methods that declare `honors_grants` let a limited one in.
    grants: Grants | None = None

    def may_read(self, resource_id: str) -> bool:
        """Whether its grants include the resource."""
        return self.grants is None or resource_id in self.grants.readable

    def require_readable(self, resource_id: str, missing: AppError) -> None:
        """Raises `missing` for a resource outside the grants, which looks as if it did not exist."""
        if not self.may_read(resource_id):
            raise missing

    def require_writable(self, resource_id: str, missing: AppError) -> None:
        """Raises `missing` for a resource outside the grants, PermissionDenied for one that it may only read."""
        self.require_readable(resource_id, missing)
        if self.grants is not None and resource_id not in self.grants.writable:
            raise PermissionDenied("read_only_grant", "Your access to this is for reading. Ask an administrator.")

    @property
    def readable_ids(self) -> list[str] | None:
        """The ids for a statement's condition; None where it needs none."""
        return None if self.grants is None else sorted(self.grants.readable)

    def has_scope(self, scope: str) -> bool:
        """Whether it may: by the scope itself, by area:*, by *:verb, or by *."""
        if "*" in self.scopes or scope in self.scopes:
            return True
        area, _, verb = scope.partition(":")
        return f"{area}:*" in self.scopes or f"*:{verb}" in self.scopes


def service_principal(issuer: str) -> Principal:
    """A service acting for itself; for which organization its calls act is shown otherwise (libs.rpc.delegation)."""
    return Principal(role=ROLE_SERVICE, scopes=frozenset({"*"}), issuer=issuer)


class PrincipalMinter:
    """Signs principals with this process kind's key, "issuer/kid=base64 seed of 32 bytes"."""

    def __init__(self, signing_key: str, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.replace(signing_key)

    def replace(self, signing_key: str) -> None:
        """Sign with another key from now on; ValueError leaves the key as it was."""
        self._name, seed = _named_key(signing_key)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.issuer, self._header = _issuer_and_header(self._name)
        self._minted: Memory[tuple[Principal, str], str] = Memory("minted", max_entries=_REMEMBERED, now=self._now)

    def public_key(self) -> str:
        """The other half, as PRINCIPAL_TRUSTED_KEYS wants it."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{self._name}={base64.b64encode(raw).decode()}"

    def mint(self, principal: Principal, audience: str) -> str:
        """A token for one audience (a service's name); the same one for 30 seconds."""
        now = self._now()
        cached = self._minted.get((principal, audience))
        if cached is not None:
            return cached
        token = self._sign(principal, audience, int(now))
        self._minted.put((principal, audience), token, REUSE_SECONDS)
        return token

    def _sign(self, principal: Principal, audience: str, now: int) -> str:
        grants = principal.grants
        claims = {
            "iss": self.issuer,
            "aud": audience if grants is None else audience + _GRANTS_AUDIENCE,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "org": principal.org_id,
            "sub": principal.user_id,
            "sid": principal.session_id,
            "key": principal.api_key_id,
            "role": principal.role,
            "scopes": sorted(principal.scopes),
            "cexp": principal.expires_at,
            "home": principal.home_org_id,
        }
        if grants is not None:
            # Each id once, because they make up most of the token.
            claims |= {"read": sorted(grants.readable - grants.writable), "write": sorted(grants.writable)}
        signed = self._header + "." + _b64(json.dumps(claims, separators=(",", ":")).encode())
        return signed + "." + _b64(self._key.sign(signed.encode()))


class PrincipalVerifier:
    """Checks tokens against the trusted issuers, each "issuer/kid=base64 public key"; several keys of one issuer stand
    side by side while one is replaced."""

    def __init__(self, trusted: Iterable[str], now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.replace(trusted)

    def replace(self, trusted: Iterable[str]) -> None:
        """Trust these keys from now on, and forget what others had signed; ValueError leaves the keys as they were."""
        found: dict[tuple[str, str], list[Ed25519PublicKey]] = {}
        for entry in trusted:
            name, raw = _named_key(entry)
            found.setdefault(_issuer_and_header(name), []).append(Ed25519PublicKey.from_public_bytes(raw))
        self._keys = found
        self._headers = frozenset(header for _, header in found)
        self._verified: Memory[tuple[str, str], Principal] = Memory("verified", max_entries=_REMEMBERED, now=self._now)

    def verify(self, token: str, audience: str) -> Principal:
        """The principal, or Unauthenticated("invalid_principal") with the same words whatever is wrong."""
        cached = self._verified.get((token, audience))
        if cached is not None:
            return cached
        claims = self._claims(token)
        if claims is None or claims.get("aud") not in (audience, audience + _GRANTS_AUDIENCE):
            raise _refusal()
        expires = claims.get("exp")
        if type(expires) is not int or not self._now() < expires <= self._now() + LIFETIME_SECONDS + _LEEWAY_SECONDS:
            raise _refusal()
        principal = _principal(claims)
        self._verified.put((token, audience), principal, expires - self._now())
        return principal

    def _claims(self, token: str) -> dict[str, Any] | None:
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        if len(token) > _MAX_TOKEN or header not in self._headers or not token.isascii():
            return None
        try:
            claims = json.loads(_unb64(payload))
            issuer = claims.get("iss") if isinstance(claims, dict) else None
            raw = _unb64(signature)
        except (ValueError, RecursionError):
            return None
        keys = self._keys.get((issuer, header), ()) if isinstance(issuer, str) else ()
        genuine = any(_signed_by(key, raw, signed) for key in keys)
        return claims if genuine else None


def _principal(claims: dict[str, Any]) -> Principal:
    try:
        principal = Principal(
            org_id=str(claims["org"]),
            user_id=str(claims["sub"]),
            session_id=str(claims["sid"]),
            api_key_id=str(claims["key"]),
            role=str(claims["role"]),
            scopes=frozenset(str(scope) for scope in claims["scopes"]),
            issuer=str(claims["iss"]),
            expires_at=int(claims.get("cexp", 0)),
            home_org_id=str(claims.get("home", "")),
            grants=_grants(claims),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refusal() from error
    speaks_for_others = principal.org_id or principal.user_id or principal.session_id or principal.api_key_id
    if principal.issuer != GATEWAY and (speaks_for_others or principal.role != ROLE_SERVICE):
        raise _refusal()
    return principal


def _grants(claims: dict[str, Any]) -> Grants | None:
    """By the audience, so that a token without its lists is refused instead of taken for an unlimited one."""
    if not str(claims["aud"]).endswith(_GRANTS_AUDIENCE):
        return None
    read, write = (frozenset(str(one) for one in claims[name]) for name in ("read", "write"))
    return Grants(read | write, write)


def _refusal() -> Unauthenticated:
    return Unauthenticated("invalid_principal", "Call through the gateway, or with a fresh principal for this service.")


def _signed_by(key: Ed25519PublicKey, signature: bytes, signed: str) -> bool:
    try:
        key.verify(signature, signed.encode())
    except InvalidSignature:
        return False
    return True


def _named_key(text: str) -> tuple[str, bytes]:
    name, separator, encoded = text.partition("=")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not name or not separator or len(raw) != 32:
        raise ValueError('a principal key is written "issuer/kid=<base64 of 32 bytes>"')
    return name, raw


def _issuer_and_header(name: str) -> tuple[str, str]:
    """Who signs, and the header of what it signs (RFC 7515, 4.1.4)."""
    issuer, _, kid = name.partition("/")
    header = {"alg": "EdDSA", "typ": "JWT"} | ({"kid": kid} if kid else {})
    return issuer, _b64(json.dumps(header, separators=(",", ":")).encode())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

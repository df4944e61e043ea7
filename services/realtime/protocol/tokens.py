"""Connection tokens: short-lived JWTs that realtime both issues (gRPC) and verifies (sockets, event streams).

HS256, because issuer and verifier are one service and a reconnect storm verifies thousands; the first key
signs, all verify. PyJWT signs. Its check takes a tenth of what accepting a connection may cost, so tokens are checked
here: one algorithm, one audience, RFC 7515 and RFC 7519.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import functools
import hmac
import time
from collections.abc import Sequence
from typing import Literal

import jwt
import msgspec

from libs.clock import utcnow
from libs.config import ConfigError

# How long a connection token is valid; SDKs refresh it.
TOKEN_LIFETIME = datetime.timedelta(minutes=5)
EVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_AUDIENCE = "realtime"
# Of tokens that are limited to some agents, so that an instance of a release before grants refuses them.
_LIMITED_AUDIENCE = "realtime+grants"


class TokenInvalid(Exception):
    """Wrong signature, audience or shape. No retry helps."""


class TokenExpired(Exception):
    """The token has expired. Get a new one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Who is connected and what it may hear, until when."""

    org_id: str
    user_id: str
    session_id: str
    api_key_id: str
    scopes: frozenset[str]
    expires_at: datetime.datetime
    issued_at: datetime.datetime = dataclasses.field(default_factory=utcnow, compare=False)
    # The organization of a user or a key that acts in another one; else empty.
    home_org_id: str = ""
    # The agents whose events it hears, and no others; None: all events that the scopes reach.
    agents: frozenset[str] | None = None

    @property
    def depends_on(self) -> frozenset[tuple[str, str]]:
        """Organization and id of all that end the grant when they are revoked."""
        ids = (self.session_id, self.api_key_id, self.user_id)
        places = [org for org in (self.org_id, self.home_org_id) if org]
        return frozenset((org, of) for org in places for of in (*ids, org) if of)

    def is_same_identity(self, other: Grant) -> bool:
        return (self.org_id, self.user_id, self.api_key_id) == (other.org_id, other.user_id, other.api_key_id)


class _Header(msgspec.Struct):
    alg: Literal["HS256"]
    kid: str


class _Claims(msgspec.Struct):
    """Of a connection token; times in seconds since the epoch."""

    sub: str
    aud: Literal["realtime", "realtime+grants"]
    exp: int
    iat: float
    org: str
    sid: str
    key: str
    scopes: frozenset[str]
    home: str = ""
    agents: frozenset[str] | None = None


_headers, _claims = msgspec.json.Decoder(_Header), msgspec.json.Decoder(_Claims)


class ConnectionTokens:
    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` as "kid=base64 of at least 32 bytes", in order: the first signs."""
        self.replace(keys)
        # Until when it is remembered, and which tokens are meant: those issued until then.
        self._revoked: dict[tuple[str, str], tuple[datetime.datetime, datetime.datetime]] = {}

    def replace(self, keys: Sequence[str]) -> None:
        """Take the new value of the setting; ConfigError leaves the keys as they were."""
        found = dict(_named_key(entry) for entry in keys)
        if not found:
            raise ConfigError(["REALTIME_TOKEN_KEYS is required"])
        self._keys, self._current = found, next(iter(found))

    def issue(self, grant: Grant) -> str:
        claims = {
            "sub": grant.user_id,
            "aud": _AUDIENCE if grant.agents is None else _LIMITED_AUDIENCE,
            "exp": int(grant.expires_at.timestamp()),
            "iat": grant.issued_at.timestamp(),
            "org": grant.org_id,
            "sid": grant.session_id,
            "key": grant.api_key_id,
            "scopes": sorted(grant.scopes),
            "home": grant.home_org_id,
        }
        if grant.agents is not None:
            claims["agents"] = sorted(grant.agents)
        return jwt.encode(claims, self._keys[self._current], algorithm="HS256", headers={"kid": self._current})

    def verify(self, token: str) -> Grant:
        """Raises TokenExpired or TokenInvalid."""
        try:
            signed, _, signature = token.rpartition(".")
            header, _, payload = signed.partition(".")
            key = self._keys[_headers.decode(_unpacked(header)).kid]
            mac = hmac.digest(key, signed.encode("ascii"), "sha256")
            if not hmac.compare_digest(mac, _unpacked(signature)):
                raise TokenInvalid
            claims = _claims.decode(_unpacked(payload))
            if claims.exp <= time.time():
                raise TokenExpired
            grant = _grant(claims)
        except (msgspec.MsgspecError, KeyError, ValueError, OverflowError) as error:
            raise TokenInvalid from error
        if self._is_revoked(grant):
            raise TokenInvalid
        return grant

    def revoke(self, org_id: str, revoked_id: str, before: datetime.datetime = EVER) -> None:
        """Take back what was issued for a session, an API key, a user or an organization until `before`. Remembered
        for as long as such a token may live."""
        now = utcnow()
        self._revoked = {key: entry for key, entry in self._revoked.items() if entry[0] > now}
        self._revoked[org_id, revoked_id] = (now + TOKEN_LIFETIME, before)

    def _is_revoked(self, grant: Grant) -> bool:
        found = (self._revoked.get(of) for of in grant.depends_on)
        return any(entry is not None and grant.issued_at <= entry[1] for entry in found)


def _named_key(entry: str) -> tuple[str, bytes]:
    kid, _, encoded = entry.partition("=")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not kid or len(key) < 32:
        raise ConfigError(["REALTIME_TOKEN_KEYS holds entries kid=<base64 of at least 32 bytes>"])
    return kid, key


def _unpacked(segment: str) -> bytes:
    """Base64url without padding. Raises ValueError."""
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def _grant(claims: _Claims) -> Grant:
    return Grant(
        org_id=claims.org,
        user_id=claims.sub,
        session_id=claims.sid,
        api_key_id=claims.key,
        scopes=_shared(claims.scopes),
        expires_at=datetime.datetime.fromtimestamp(claims.exp, datetime.UTC),
        issued_at=datetime.datetime.fromtimestamp(claims.iat, datetime.UTC),
        home_org_id=claims.home,
        agents=_agents(claims),
    )


def _agents(claims: _Claims) -> frozenset[str] | None:
    """By the audience, so that a token without its list is refused instead of taken for an unlimited one."""
    if claims.aud == _AUDIENCE:
        return None
    if claims.agents is None:
        raise ValueError("a limited token without its agents")
    return claims.agents


@functools.lru_cache(maxsize=1_000)
def _shared(scopes: frozenset[str]) -> frozenset[str]:
    """One set for all connections with these scopes. There are about as many sets as roles."""
    return scopes

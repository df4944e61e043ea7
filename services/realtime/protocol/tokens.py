"""Connection tokens: short-lived JWTs that realtime both issues (gRPC) and verifies (sockets, event streams).

HS256, because issuer and verifier are one service and a reconnect storm verifies thousands; the first key
signs, all verify.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
from collections.abc import Mapping, Sequence

import jwt

from libs.clock import utcnow
from libs.config import ConfigError

TOKEN_LIFETIME = datetime.timedelta(minutes=5)
_AUDIENCE = "realtime"


class TokenInvalid(Exception):
    """Not ours: wrong signature, audience or shape. No retry helps."""


class TokenExpired(Exception):
    """Was ours; a fresh one will do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Who is connected and what it may hear, until when."""

    org_id: str
    user_id: str
    session_id: str
    api_key_id: str
    scopes: frozenset[str]
    expires_at: datetime.datetime

    def is_same_identity(self, other: Grant) -> bool:
        return (self.org_id, self.user_id, self.api_key_id) == (other.org_id, other.user_id, other.api_key_id)


class ConnectionTokens:
    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` as "kid=base64 of at least 32 bytes", in order: the first signs."""
        self._keys = dict(_named_key(entry) for entry in keys)
        if not self._keys:
            raise ConfigError(["REALTIME_TOKEN_KEYS is required"])
        self._current = next(iter(self._keys))
        self._revoked: dict[tuple[str, str], datetime.datetime] = {}

    def issue(self, grant: Grant) -> str:
        claims = {
            "sub": grant.user_id,
            "aud": _AUDIENCE,
            "exp": int(grant.expires_at.timestamp()),
            "org": grant.org_id,
            "sid": grant.session_id,
            "key": grant.api_key_id,
            "scopes": sorted(grant.scopes),
        }
        return jwt.encode(claims, self._keys[self._current], algorithm="HS256", headers={"kid": self._current})

    def verify(self, token: str) -> Grant:
        """Raises TokenExpired or TokenInvalid."""
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token, key, algorithms=["HS256"], audience=_AUDIENCE, options={"require": ["exp", "sub"]}
            )
            grant = _grant(claims)
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.InvalidTokenError, KeyError, TypeError) as error:
            raise TokenInvalid from error
        if any((grant.org_id, of) in self._revoked for of in (grant.session_id, grant.api_key_id) if of):
            raise TokenInvalid
        return grant

    def revoke(self, org_id: str, revoked_id: str) -> None:
        """Take back what was issued for a session or API key. Remembered for as long as such a token may live."""
        now = utcnow()
        self._revoked = {key: until for key, until in self._revoked.items() if until > now}
        self._revoked[org_id, revoked_id] = now + TOKEN_LIFETIME


def _named_key(entry: str) -> tuple[str, bytes]:
    kid, _, encoded = entry.partition("=")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not kid or len(key) < 32:
        raise ConfigError(["REALTIME_TOKEN_KEYS holds entries kid=<base64 of at least 32 bytes>"])
    return kid, key


def _grant(claims: Mapping[str, object]) -> Grant:
    scopes, expires = claims["scopes"], claims["exp"]
    if not isinstance(scopes, list) or not isinstance(expires, int):
        raise TypeError("claims of another shape")
    return Grant(
        org_id=str(claims["org"]),
        user_id=str(claims["sub"]),
        session_id=str(claims["sid"]),
        api_key_id=str(claims["key"]),
        scopes=frozenset(str(scope) for scope in scopes),
        expires_at=datetime.datetime.fromtimestamp(expires, datetime.UTC),
    )

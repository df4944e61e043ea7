"""Sign-in with an OpenID provider: the authorization code flow with PKCE, a nonce and a state (OpenID Connect Core 1.0,
RFC 7636, RFC 9700).

One provider by configuration. What it says is believed only under its signature, for this client and for this flow. All
requests go through the address guard. It knows neither accounts nor sessions.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import jwt

from libs.clock import Clock
from libs.crypto import DecryptionError, Envelope, random_token
from libs.errors import AppError, Unauthenticated, Unavailable, Unimplemented
from libs.http import Answer, OutboundClient

# How long a browser may take at the provider.
FLOW_LIFETIME = timedelta(minutes=10)
# How long metadata and keys of the provider are used before they are read again.
METADATA_LIFETIME = timedelta(hours=1)
# A token with an unknown key has the keys read again, at most this often: forged tokens cause no load at the provider.
KEYS_LEAST_AGE = timedelta(minutes=1)
# Seconds by which the provider's clock may differ.
_LEEWAY_SECONDS = 60
# Seconds for an answer of the provider; a login waits for three of them.
ANSWER_SECONDS = 5.0
# Signatures of asymmetric keys alone: with a shared secret, the secret's holder could be the provider.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_SEALED = ("openid", "flow")


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """What one sign-in is recognized by when the browser comes back."""

    state: str
    nonce: str
    verifier: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the provider signed in."""

    issuer: str
    subject: str
    email: str
    email_verified: bool


class OpenIdProvider:
    def __init__(
        self,
        settings: OpenIdSettings,
        client: OutboundClient,
        envelope: Envelope,
        clock: Clock,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._settings = settings
        self._client = client
        self._envelope = envelope
        self._clock = clock
        self._metadata: tuple[datetime, Mapping[str, Any]] | None = None
        self._keys: tuple[datetime, Mapping[str, Any]] | None = None
        self._reading = asyncio.Lock()

    @property
    def issuer(self) -> str:
        return self._settings.issuer

    async def begin(self, redirect_url: str) -> tuple[str, str]:
        """The address where the browser signs in, and the sealed flow that it keeps meanwhile."""
        metadata = await self._read_metadata()
        ends_at = (self._clock.now() + FLOW_LIFETIME).timestamp()
        flow = Flow(random_token(), random_token(), random_token(), ends_at)
        challenge = _base64url(hashlib.sha256(flow.verifier.encode()).digest())
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": redirect_url,
                "scope": "openid email",
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        endpoint = str(metadata["authorization_endpoint"])
        sealed = self._envelope.encrypt(json.dumps(asdict(flow)).encode(), _SEALED)
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}", _base64url(sealed)

    async def complete(self, code: str, state: str, sealed: str, redirect_url: str) -> Subject:
        """Whom the provider signed in; Unauthenticated("openid_refused") for what is not of this flow."""
        flow = self._opened(sealed)
        if not _same(flow.state, state) or flow.ends_at < self._clock.now().timestamp():
            raise _refused()
        metadata = await self._read_metadata()
        tokens = await self._exchange(metadata, code, flow, redirect_url)
        claims = await self._verified(metadata, str(tokens.get("id_token", "")), flow)
        if not claims.get("email") and metadata.get("userinfo_endpoint"):
            claims = {**await self._user_info(metadata, tokens, str(claims["sub"])), **claims}
        return Subject(
            issuer=self._settings.issuer,
            subject=str(claims["sub"]),
            email=str(claims.get("email") or ""),
            email_verified=claims.get("email_verified") is True,
        )

    def _opened(self, sealed: str) -> Flow:
        try:
            return Flow(**json.loads(self._envelope.decrypt(_unbase64url(sealed), _SEALED)))
        except (DecryptionError, binascii.Error, ValueError, TypeError):
            raise _refused() from None

    async def _exchange(
        self, metadata: Mapping[str, Any], code: str, flow: Flow, redirect_url: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_url,
            "client_id": self._settings.client_id,
            "code_verifier": flow.verifier,
        }
        # RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
        login = f"{quote(self._settings.client_id, safe='')}:{quote(self._settings.client_secret, safe='')}"
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
        }
        answer = await self._ask("POST", str(metadata["token_endpoint"]), urlencode(form).encode(), headers)
        if 400 <= answer.status_code < 500:
            raise _refused()
        return _document(answer)

    async def _verified(self, metadata: Mapping[str, Any], token: str, flow: Flow) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(metadata, str(header.get("kid") or ""))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError:
            raise _refused() from None
        audiences, party = claims["aud"], claims.get("azp")
        several = isinstance(audiences, list) and len(audiences) > 1
        if (several or party is not None) and party != self._settings.client_id:
            raise _refused()
        if not _same(str(claims.get("nonce") or ""), flow.nonce):
            raise _refused()
        return claims

    async def _user_info(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        """Claims that the provider tells apart from the ID token, if they are of the same subject (5.3.2)."""
        headers = {"authorization": f"Bearer {tokens.get('access_token', '')}", "accept": "application/json"}
        told = _document(await self._ask("GET", str(metadata["userinfo_endpoint"]), b"", headers))
        if told.get("sub") != subject:
            raise _refused()
        return told

    async def _key(self, metadata: Mapping[str, Any], kid: str) -> jwt.PyJWK:
        """The provider's key of this id; without an id its only key."""
        known = await self._read_keys(metadata, METADATA_LIFETIME)
        if kid and kid not in known:
            known = await self._read_keys(metadata, KEYS_LEAST_AGE)
        found = known.get(kid) if kid else (next(iter(known.values())) if len(known) == 1 else None)
        if found is None:
            raise _refused()
        return jwt.PyJWK.from_dict(dict(found))

    async def _read_metadata(self) -> Mapping[str, Any]:
        async with self._reading:
            now = self._clock.now()
            if self._metadata is None or now - self._metadata[0] > METADATA_LIFETIME:
                url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = _document(await self._ask("GET", url, b"", {"accept": "application/json"}))
                # OpenID Connect Discovery 1.0, 4.3: another issuer's document would name another issuer's keys.
                missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys()
                if found.get("issuer") != self._settings.issuer or missing:
                    raise _unreachable()
                self._metadata = (now, found)
            return self._metadata[1]

    async def _read_keys(self, metadata: Mapping[str, Any], most_age: timedelta) -> Mapping[str, Any]:
        async with self._reading:
            now = self._clock.now()
            if self._keys is None or now - self._keys[0] > most_age:
                document = _document(await self._ask("GET", str(metadata["jwks_uri"]), b"", {}))
                listed = document.get("keys")
                keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
                self._keys = (now, {str(key.get("kid") or number): key for number, key in enumerate(keys)})
            return self._keys[1]

    async def _ask(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            answer = await self._client.request(
                method, url, content=content, headers=headers, timeout=self._answer_seconds
            )
        except AppError:
            raise _unreachable() from None
        if answer.status_code >= 500 or (method == "GET" and answer.status_code != 200):
            raise _unreachable()
        return answer


def not_configured() -> Unimplemented:
    return Unimplemented("openid_not_configured", "This installation has no OpenID provider. Sign in with a password.")


def _document(answer: Answer) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        raise _unreachable() from None
    if not isinstance(found, dict):
        raise _unreachable()
    return found


def _same(given: str, wanted: str) -> bool:
    """In constant time. Bytes, because compare_digest refuses text that is not ASCII."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode(errors="replace"))


def _refused() -> Unauthenticated:
    return Unauthenticated("openid_refused", "The provider's answer does not belong to this sign-in. Begin anew.")


def _unreachable() -> Unavailable:
    return Unavailable("openid_unavailable", "The OpenID provider does not answer as it should. Try again later.")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unbase64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

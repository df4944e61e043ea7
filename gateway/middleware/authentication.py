"""Who calls: takes the credential from the request and asks identity, remembering the answer for less than a second.

Owns the order of credentials and the forged-request guard of the cookie. What a principal may do is decided in
gateway.middleware.authorization and, again, in every service.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.exchange import Exchange, exchange_of
from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.principal import Principal

# A revoked credential must stop working within a second, counted from before it was looked up.
REMEMBER_SECONDS = 0.8
_REMEMBERED = 10_000
_MAX_CREDENTIAL = 512
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))

API_KEY_PREFIX = "esx_"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller showed: how (bearer, api_key, cookie), and the secret itself."""

    kind: str
    secret: str

    @property
    def is_api_key(self) -> bool:
        return self.kind == "api_key" or self.secret.startswith(API_KEY_PREFIX)


Lookup = Callable[[Credential], Awaitable[tuple[Principal, float]]]


class Principals:
    """The principals of credentials seen a moment ago; one look-up serves all who wait for it. Refusals are
    remembered as well, so that guessing does not reach identity at the guesser's pace."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: OrderedDict[Credential, tuple[float, Principal | Unauthenticated]] = OrderedDict()
        self._waiting: dict[Credential, asyncio.Task[Principal]] = {}
        self.hits = 0
        self.misses = 0

    async def find(self, credential: Credential) -> Principal:
        """The principal; Unauthenticated for a credential that is wrong, expired or revoked."""
        entry = self._known.get(credential)
        if entry is not None and time.monotonic() < entry[0]:
            self.hits += 1
            return _raise_or_return(entry[1])
        self.misses += 1
        task = self._waiting.get(credential)
        if task is None:
            task = asyncio.create_task(self._load(credential))
            self._waiting[credential] = task
            task.add_done_callback(lambda done: self._done(credential, done))
        return await asyncio.shield(task)

    def forget(self, revoked_id: str) -> None:
        """Ask identity again about a session or an API key that was revoked."""
        stale = [
            credential
            for credential, (_, found) in self._known.items()
            if isinstance(found, Principal) and revoked_id in (found.session_id, found.api_key_id)
        ]
        for credential in stale:
            del self._known[credential]

    async def _load(self, credential: Credential) -> Principal:
        begun = time.monotonic()
        try:
            principal, lives_seconds = await self._lookup(credential)
        except Unauthenticated as refusal:
            self._remember(credential, begun + REMEMBER_SECONDS, refusal)
            raise
        self._remember(credential, begun + min(REMEMBER_SECONDS, lives_seconds), principal)
        return principal

    def _remember(self, credential: Credential, until: float, found: Principal | Unauthenticated) -> None:
        self._known[credential] = (until, found)
        self._known.move_to_end(credential)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _done(self, credential: Credential, task: "asyncio.Task[Principal]") -> None:
        del self._waiting[credential]
        if not task.cancelled():
            task.exception()  # seen: those who waited raise it, and nobody may be left waiting


def _raise_or_return(found: Principal | Unauthenticated) -> Principal:
    if isinstance(found, Unauthenticated):
        raise Unauthenticated(found.reason, found.detail)
    return found


class Authentication:
    """Fills the exchange's principal, or refuses (401). Public routes are let through unasked, and so is a path outside
    /api that does not exist: there is nothing to guard."""

    def __init__(self, app: ASGIApp, *, principals: Principals, cookie_name: str, own_origins: frozenset[str]) -> None:
        self._app = app
        self._principals = principals
        self._cookie_name = cookie_name
        self._own_origins = own_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if self._is_guarded(exchange, scope["path"]):
            credential = read_credential(exchange, self._cookie_name)
            if credential.kind == "cookie" and scope["method"] not in _SAFE_METHODS:
                self._refuse_forgery(exchange)
            exchange.credential = credential.kind
            exchange.principal = await self._principals.find(credential)
        await self._app(scope, receive, send)

    @staticmethod
    def _is_guarded(exchange: Exchange, path: str) -> bool:
        match = exchange.match
        if match is not None and match.route is not None:
            return not match.route.public
        if match is not None and match.allow:
            return not match.public_path
        return path.startswith("/api/")

    def _refuse_forgery(self, exchange: Exchange) -> None:
        origin = exchange.header(b"origin")
        if not origin or origin in self._own_origins or urlsplit(origin).netloc == exchange.header(b"host"):
            return
        raise PermissionDenied("origin_refused", "A session cookie works only from this site's own pages.")


def read_credential(exchange: Exchange, cookie_name: str) -> Credential:
    """The credential shown: Authorization first, then X-API-Key, then the cookie."""
    authorization = exchange.header(b"authorization")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("unauthenticated", "Use the Bearer scheme with a session token or an API key.")
        return _credential("bearer", secret.strip())
    api_key = exchange.header(b"x-api-key")
    if api_key:
        return _credential("api_key", api_key.strip())
    secret = _cookie(exchange.header(b"cookie"), cookie_name)
    if secret:
        return _credential("cookie", secret)
    raise Unauthenticated("unauthenticated", "Sign in, or send an API key.")


def _credential(kind: str, secret: str) -> Credential:
    if not secret or len(secret) > _MAX_CREDENTIAL or not secret.isascii() or not secret.isprintable():
        raise Unauthenticated("invalid_credential", "Sign in again, or send a valid API key.")
    return Credential(kind, secret)


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip().strip('"')
    return ""

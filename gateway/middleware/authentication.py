"""Who calls: takes the credential from the request and asks identity, remembering the answer for less than a second.

Owns the order of credentials and the forged-request guard of the cookie. What a principal may do is decided in
gateway.middleware.authorization and, again, in every service.
"""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.exchange import Exchange, exchange_of
from gateway.principals import Credential, Principals
from libs.errors import PermissionDenied, Unauthenticated

_MAX_CREDENTIAL = 512
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


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

"""Authenticates the caller by the credential in the request.

Owns the order of credentials and the check against cross-site request forgery. The authorization layer, and again
every service, decide what a principal may do.
"""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of
from gateway.http.routing import match_of
from gateway.middleware.admission import Lanes, Lookup
from gateway.principals import Credential, Principals
from libs.addresses import address_prefix, is_within
from libs.errors import PermissionDenied, Unauthenticated

# Characters of a credential. Longer than any token or key of ours; longer texts are refused without a hash.
_MAX_CREDENTIAL = 512
# The names of this machine for itself.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# Names a customer of the caller's organization, in which the request acts.
ORGANIZATION_HEADER = "x-organization-id"
_ORGANIZATION_ID = re.compile(r"|org_[0-9a-z]{1,60}")
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class Authentication:
    """Sets the request's principal or refuses (401). Public routes pass without a credential, as does an unknown
    path outside /api."""

    def __init__(
        self, app: ASGIApp, *, principals: Principals, lanes: Lanes, cookie_name: str, public_url: str
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._principals = principals
        self._cookie_name = cookie_name
        self._own_origins = own_origins(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        if self._is_guarded(request, scope["path"]):
            credential = replace(read_credential(request, self._cookie_name), organization_id=_organization(request))
            if credential.kind == "cookie" and scope["method"] not in _SAFE_METHODS:
                self._refuse_forgery(request)
            request.credential, request.shown_credential = credential.kind, credential
            principal = self._principals.peek(credential)
            if principal is None:
                principal = await self._principals.find(
                    credential, Lookup(self._lanes, request), address_prefix(request.client_address) or "unknown"
                )
            if principal.allowed_addresses and not is_within(request.client_address, principal.allowed_addresses):
                raise PermissionDenied("address_not_allowed", "This API key may not be used from this address.")
            request.principal_or_none = principal
        await self._app(scope, receive, send)

    @staticmethod
    def _is_guarded(request: Request[Any, Any, Any], path: str) -> bool:
        match = match_of(request)
        if match.route is not None:
            return not match.route.public
        if match.allow:
            return not match.public_path
        return path.startswith("/api/")

    def _refuse_forgery(self, request: Request[Any, Any, Any]) -> None:
        """A browser says where a write comes from; what does not say so is no browser, and needs no cookie. A page of a
        white-label host has another origin than the installation; both the browser and the Host header call it ours."""
        origin = request.header("origin")
        same = not origin or origin.partition("://")[2] == request.header("host")
        if origin not in self._own_origins and not (same and request.header("sec-fetch-site") == "same-origin"):
            raise PermissionDenied(
                "origin_refused",
                "A session cookie works only from this site's own pages. Send the token as Authorization: Bearer.",
            )


def own_origins(url: str) -> frozenset[str]:
    """The origins of a public URL as browsers write them: scheme, host, and a port unless it is the scheme's own (RFC
    6454). A URL of this machine has all of its loopback names, because a developer may type any of them; a page that
    another machine serves has none of these origins."""
    parts = urlsplit(url)
    ports = {"http": 80, "https": 443}
    port = "" if parts.port in (None, ports.get(parts.scheme)) else f":{parts.port}"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    hosts = _LOOPBACK if host in _LOOPBACK else (host,)
    return frozenset(f"{parts.scheme}://{name}{port}" for name in hosts)


def read_credential(request: Request[Any, Any, Any], cookie_name: str) -> Credential:
    """The credential shown: Authorization first, then X-API-Key, then the cookie."""
    authorization = request.header("authorization")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("unauthenticated", "Use the Bearer scheme with a session token or an API key.")
        return _credential("bearer", secret.strip())
    api_key = request.header("x-api-key")
    if api_key:
        return _credential("api_key", api_key.strip())
    secret = request.cookies.get(cookie_name, "")
    if secret:
        return _credential("cookie", secret)
    raise Unauthenticated("unauthenticated", "Sign in, or send an API key.")


def _organization(request: Request[Any, Any, Any]) -> str:
    """The organization in which the caller wants to act; no id can have the text that stands for a malformed one."""
    named = request.header(ORGANIZATION_HEADER)
    return named if _ORGANIZATION_ID.fullmatch(named) else "-"


def _credential(kind: str, secret: str) -> Credential:
    if not secret or len(secret) > _MAX_CREDENTIAL or not secret.isascii() or not secret.isprintable():
        raise Unauthenticated("invalid_credential", "Sign in again, or send a valid API key.")
    return Credential(kind, secret)

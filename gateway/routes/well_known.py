"""Files that any site is asked for: its icon, and whom to tell of a vulnerability (RFC 9116). No credential."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from gateway.http.routing import Route
from gateway.http.schema import AnyQuery, NoBody
from gateway.state import ApiRequest
from libs.clock import utcnow
from libs.errors import NotFound

Handler = Callable[[ApiRequest[AnyQuery, NoBody]], Awaitable[Response]]

_DAY = "public, max-age=86400"


async def get_icon(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    """For pages that name no icon, which browsers ask for here."""
    icon = request.app.console.files["icon.svg"]
    return _for_everyone(request, icon.body, icon.media_type)


async def get_security_contact(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    settings = request.app.settings
    if not settings.security_contacts:
        raise NotFound("security_contact_unset", "The operator of this installation names no contact for reports.")
    # The end of a day, so that all gateways answer alike.
    ends = datetime.combine(utcnow().date() + timedelta(days=settings.security_contact_days), time(), UTC)
    lines = [f"Contact: {contact}" for contact in settings.security_contacts]
    lines.append(f"Expires: {ends:%Y-%m-%dT%H:%M:%SZ}")
    if settings.security_policy_url:
        lines.append(f"Policy: {settings.security_policy_url}")
    return _for_everyone(request, "\n".join([*lines, ""]).encode(), "text/plain; charset=utf-8")


def _for_everyone(request: ApiRequest[AnyQuery, NoBody], body: bytes, media_type: str) -> Response:
    request.replace_response_header(b"vary", b"Accept-Encoding, Origin")
    return Response(body, 200, {"cache-control": _DAY}, media_type)


def _file(path: str, handler: Handler, summary: str) -> Route[Any, Any]:
    return Route("GET", path, handler, summary, public=True, limits="read", documented=False, query=AnyQuery)


ROUTES = (
    _file("/favicon.ico", get_icon, "The icon of pages that name none"),
    _file("/.well-known/security.txt", get_security_contact, "Whom to tell of a vulnerability"),
)

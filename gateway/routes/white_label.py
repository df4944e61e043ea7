"""White-label settings: those of the organization, and what strangers who open a page of its host see."""

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from msgspec import UNSET
from starlette.responses import Response

from echosenseix.identity.v1 import white_label_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.conditional import names_tag
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.white_label import (
    Host,
    HostBody,
    HostQuery,
    PublicQuery,
    PublicWhiteLabel,
    WhiteLabel,
    WhiteLabelBody,
    WhiteLabelPatch,
    host_from_proto,
    public_from_proto,
    white_label_from_proto,
)
from gateway.state import ApiRequest
from libs.cache import Memory
from libs.errors import InvalidArgument, NotFound, Violation

# Seconds for which a page's look may be older than the settings, in the gateway and in browsers. Longer: fewer reads.
_FRESH_SECONDS = 60
# Hosts whose look is remembered, known ones or not. 1 KB each; more hosts at once cause more reads.
_REMEMBERED = 2_000
# Characters of the longest DNS name (RFC 1035). Hosts are keys of the memory, so its size follows from this.
_HOST_LENGTH = 253
_IMMUTABLE = "public, max-age=31536000, immutable"
_BODY_FIELDS = {name: name for name in WhiteLabelBody.__struct_fields__}
_recent: Memory[str, pb.WhiteLabel] = Memory("white_labels", max_entries=_REMEMBERED)


async def get_white_label(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.white_labels.GetWhiteLabel(pb.GetWhiteLabelRequest())
    return _shown(request, answer.white_label)


async def update_white_label(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateWhiteLabelRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.white_label, _BODY_FIELDS))
    if request.data.logo is not UNSET:
        message.logo = _decoded(request.data.logo or "")
        message.update_mask.paths.append("logo")
    if not message.update_mask.paths:
        conditional.require_version(request, await white_label_version(request))
        return await get_white_label(request)
    answer = await request.app.clients.white_labels.UpdateWhiteLabel(message)
    return _shown(request, answer.white_label)


async def get_public_white_label(request: ApiRequest[PublicQuery, NoBody]) -> Response:
    """From memory where the host was asked for in the last minute, so that strangers cause few reads."""
    host = (request.query.host or hostname(request.header("host"))).lower()
    known = _recent.get(host)
    if known is None:
        asked = pb.GetPublicWhiteLabelRequest(host=host)
        known = (await request.app.clients.white_labels.GetPublicWhiteLabel(asked)).white_label
        _recent.put(host, known, _FRESH_SECONDS)
    response = responses.ok(public_from_proto(known, _logos(request)))
    response.headers["cache-control"] = f"public, max-age={_FRESH_SECONDS}"
    return response


def hostname(authority: str) -> str:
    """The host of a Host header without its port; empty for one that is none, or too long to be one."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return host if len(host) <= _HOST_LENGTH else ""


async def get_logo(request: ApiRequest[NoQuery, NoBody]) -> Response:
    """Named by its digest, so its bytes never change and the name shows nothing of the organization."""
    digest = request.path_params["digest"]
    answer = await request.app.clients.white_labels.GetLogo(pb.GetLogoRequest(digest=digest))
    headers = {"cache-control": _IMMUTABLE, "etag": f'"{digest[:32]}"', "cross-origin-resource-policy": "cross-origin"}
    if names_tag(request.header("if-none-match"), digest[:32]):
        return Response(status_code=304, headers=headers)
    return Response(answer.content, 200, headers, answer.media_type)


async def list_hosts(request: ApiRequest[HostQuery, NoBody]) -> Response:
    answer = await request.app.clients.white_labels.ListHosts(
        pb.ListHostsRequest(page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.hosts, answer.page_info, host_from_proto)


async def add_host(request: ApiRequest[NoQuery, HostBody]) -> Response:
    answer = await request.app.clients.white_labels.AddHost(pb.AddHostRequest(host=request.data.host))
    return responses.created(host_from_proto(answer.host), "/api/whitelabel/hosts")


async def verify_host(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.white_labels.VerifyHost(pb.VerifyHostRequest(id=request.id))
    return responses.ok(host_from_proto(answer.host))


async def remove_host(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.white_labels.RemoveHost(pb.RemoveHostRequest(id=request.id))
    return responses.no_content()


async def host_subject(request: ApiRequest[Any, Any]) -> int:
    """Whether there is such a host; an organization has fewer than a page of them, and they have no versions."""
    answer = await request.app.clients.white_labels.ListHosts(pb.ListHostsRequest())
    if request.id not in {host.id for host in answer.hosts}:
        raise NotFound("host_not_found", "No such host.")
    return 0


async def white_label_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.white_labels.GetWhiteLabel(pb.GetWhiteLabelRequest())
    return answer.white_label.version


def _shown(request: ApiRequest[Any, Any], message: pb.WhiteLabel) -> Response:
    return responses.resource(request, white_label_from_proto(message, _logos(request)), message.version)


def _logos(request: ApiRequest[Any, Any]) -> str:
    return f"{request.app.settings.public_url.rstrip('/')}/api/whitelabel/logos"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = Violation("#/logo", "invalid_format", "Must be base64.")
        raise InvalidArgument("validation_failed", "The settings are not valid.", violations=[found]) from None


ROUTES = tagged(
    "Organization",
    Route(
        "GET",
        "/api/whitelabel",
        get_white_label,
        "Read how the organization shows itself",
        scope="members:read",
        answer=WhiteLabel,
        etag="version",
    ),
    Route(
        "PATCH",
        "/api/whitelabel",
        update_white_label,
        "Change the name, the logo, the colors and the support of the organization's pages",
        scope="members:write",
        body=WhiteLabelPatch,
        body_kind="merge_patch",
        example={"productName": "Engines Voice", "primaryColor": "#7c2d12", "supportEmail": "help@example.com"},
        answer=WhiteLabel,
        subject=white_label_version,
        etag="version",
    ),
    Route(
        "GET",
        "/api/whitelabel/public",
        get_public_white_label,
        "Read how pages of a host look",
        public=True,
        limits="read",
        query=PublicQuery,
        answer=PublicWhiteLabel,
    ),
    Route(
        "GET",
        "/api/whitelabel/logos/{digest}",
        get_logo,
        "Read a logo",
        public=True,
        limits="read",
        media_type="application/octet-stream",
        segments={"digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        etag="content",
    ),
    Route(
        "GET",
        "/api/whitelabel/hosts",
        list_hosts,
        "List the organization's own hosts",
        scope="members:read",
        query=HostQuery,
        answer=list[Host],
    ),
    Route(
        "POST",
        "/api/whitelabel/hosts",
        add_host,
        "Name a host that is the organization's; a TXT record proves it",
        scope="members:write",
        body=HostBody,
        example={"host": "voice.example.com"},
        answer=Host,
        status=201,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/whitelabel/hosts/{id}/verify",
        verify_host,
        "Look the TXT record of a host up now",
        scope="members:write",
        answer=Host,
        subject=host_subject,
        seconds=8.0,
        problems=(409,),
    ),
    Route(
        "DELETE",
        "/api/whitelabel/hosts/{id}",
        remove_host,
        "Remove a host, whose pages show the suite again",
        scope="members:write",
        status=204,
    ),
)

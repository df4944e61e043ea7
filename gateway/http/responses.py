"""Successful responses: JSON bytes with the header fields that belong to them.

Owns how a response is built, not what is in it. Refusals are built by gateway.http.problems alone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from gateway.http.conditional import (
    demanded_version,
    entity_tag,
    entity_tag_of,
    is_unchanged,
    names_tag,
    require_reached,
    require_version,
)
from gateway.http.request import Request

_encoder = msgspec.json.Encoder()

# A response belongs to one principal; a client may keep it, but has to ask whether it is still good.
PRIVATE = "private, no-cache"
NO_STORE = "no-store"


def encode_json(value: Any) -> bytes:
    """A response schema as JSON."""
    return _encoder.encode(value)


def ok(
    value: Any, status: int = 200, *, version: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response; with a version it carries the entity tag."""
    fields = {"cache-control": PRIVATE}
    if version is not None:
        fields["etag"] = entity_tag(version)
    if headers:
        fields.update(headers)
    return Response(encode_json(value), status, fields, "application/json")


def resource(request: Request[Any, Any, Any], value: Any, version: int) -> Response:
    """A resource with its tag. A reader gets 304 if it has this version, 412 if it requires another."""
    if request.method in ("GET", "HEAD"):
        require_reached(demanded_version(request), version)
        require_version(request, version)
        if is_unchanged(request.header("if-none-match"), version):
            return Response(status_code=304, headers={"cache-control": PRIVATE, "etag": entity_tag(version)})
    return ok(value, version=version)


def current(request: Request[Any, Any, Any], value: Any, version: int) -> Response:
    """A resource that changes within its versions (when it was last used): its tag names the version and the bytes."""
    body = encode_json(value)
    fields = {"cache-control": PRIVATE, "etag": entity_tag_of(version, body)}
    if request.method in ("GET", "HEAD"):
        require_reached(demanded_version(request), version)
        require_version(request, version)
        if names_tag(request.header("if-none-match"), fields["etag"].strip('"')):
            return Response(status_code=304, headers=fields)
    return Response(body, 200, fields, "application/json")


def created(value: Any, location: str, version: int | None = None) -> Response:
    """A new resource and its path."""
    return ok(value, 201, version=version, headers={"location": location})


def accepted(value: Any, location: str) -> Response:
    """Work that continues in the background, and the path that shows its progress."""
    return ok(value, 202, headers={"location": location})


def no_content() -> Response:
    """204."""
    return Response(status_code=204)

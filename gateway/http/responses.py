"""The shapes of a successful answer: JSON bytes with the headers that belong to them.

Owns how an answer is built, not what is in it; refusals are built by gateway.http.problems alone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from gateway.http.conditional import entity_tag

_encoder = msgspec.json.Encoder()

# Answers belong to one principal and may be kept only to be asked about again.
PRIVATE = "private, no-cache"
NO_STORE = "no-store"


def encode_json(value: Any) -> bytes:
    """Any answer schema as JSON."""
    return _encoder.encode(value)


def json_response(
    value: Any,
    status: int = 200,
    *,
    version: int | None = None,
    location: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer; with a version it carries the entity tag, with a location where the new thing is."""
    fields = {"cache-control": PRIVATE}
    if version is not None:
        fields["etag"] = entity_tag(version)
    if location:
        fields["location"] = location
    if headers:
        fields.update(headers)
    return Response(encode_json(value), status, fields, "application/json")


def not_modified(version: int) -> Response:
    """The client's copy is good."""
    return Response(status_code=304, headers={"cache-control": PRIVATE, "etag": entity_tag(version)})


def no_content() -> Response:
    """Done, and nothing to say."""
    return Response(status_code=204)

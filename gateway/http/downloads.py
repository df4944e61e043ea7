"""Files that a service streams, whole (200) or as a byte range (206); memory holds one chunk at a time.

A file is an attachment with a media type that browsers may not guess, so it never runs as a page of this origin.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from gateway.http.conditional import names_tag
from gateway.http.ranges import ByteRange
from gateway.http.request import Request
from gateway.http.responses import PRIVATE


@dataclass(frozen=True, slots=True)
class Download:
    """What is known of a file before its bytes arrive."""

    media_type: str
    size: int
    # Identifies the content, which never changes under the same tag.
    tag: str
    part: ByteRange | None = None
    file_name: str = ""
    # Whether the service can send a byte range.
    in_parts: bool = False


async def download_response(request: Request[Any, Any, Any], file: Download, chunks: AsyncIterator[bytes]) -> Response:
    """The response that streams the chunks. The first chunk is awaited, so that a refusal still becomes a problem
    document. A client that has the file gets 304."""
    headers = _headers(file)
    if names_tag(request.header("if-none-match"), file.tag):
        return Response(status_code=304, headers={name: headers[name] for name in ("cache-control", "etag")})
    status = 206 if file.part is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    first = await anext(chunks, b"")
    return StreamingResponse(_with_first(first, chunks), status, headers)


def _headers(file: Download) -> dict[str, str]:
    length = file.part.length if file.part is not None else file.size
    headers = {
        "accept-ranges": "bytes" if file.in_parts else "none",
        "cache-control": PRIVATE,
        "content-disposition": "attachment" + (f"; filename*=UTF-8''{quote(file.file_name)}" if file.file_name else ""),
        "content-length": str(length),
        "content-type": file.media_type,
        "etag": f'"{file.tag}"',
    }
    if file.part is not None:
        headers["content-range"] = file.part.content_range(file.size)
    return headers


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk

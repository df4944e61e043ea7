"""The API's own description: the document, and a page that explains it and has a form for each operation."""

import functools
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from starlette.responses import Response

from gateway.http.conditional import names_tag
from gateway.http.openapi import About
from gateway.http.routing import Route, tagged
from gateway.http.schema import AnyQuery, NoBody, NoQuery
from gateway.schemas import events
from gateway.schemas.vocabulary import TAGS, WORDS
from gateway.state import ApiRequest

# Written by `python -m gateway openapi`.
FILE = Path(__file__).parents[1] / "openapi.json"
# The page, written with it, and its other files.
_FOLDER = Path(__file__).parents[1] / "documentation"
PAGE = _FOLDER / "page.html"
GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
# Written by `make examples`: answers of the running suite.
EXAMPLES = Path(__file__).parents[1] / "examples.json"
# The codes of problems, which a test compares with those that the code raises.
ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
_CODE = re.compile(r"^\| `([a-z0-9_]+)` \| (\d{3}) \| (?!Between services|Inside|Of a job)", re.MULTILINE)
_DESCRIPTION = (
    "The public API of EchoSenseiX. Lists have two paging modes (page and cursor), changes are merge patches, "
    "errors are problem documents (RFC 9457), amounts are decimal strings and times RFC 3339 in UTC. Every "
    "response carries X-Request-Id. POST, PATCH, PUT and DELETE take an Idempotency-Key. A method that a path does not "
    "have is answered 405 `method_not_allowed`; `Allow` names those that it has."
)
_CONNECTION = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of POST /api/realtime/token. It lives for five minutes and reads the caller's events.",
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    b"form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
# Seconds: a new release shows within five minutes.
_CACHED = {"cache-control": "public, max-age=300"}


def about() -> About:
    """What the document says beside the routes. Read where the document is written, not where it is served."""
    examples = json.loads(EXAMPLES.read_bytes())
    codes: dict[int, list[str]] = {}
    for code, status in _CODE.findall(ERRORS.read_text("utf-8")):
        codes.setdefault(int(status), []).append(code)
    return About(
        title="EchoSenseiX",
        version="1.0.0",
        description=_DESCRIPTION,
        session_cookie="echosenseix_session",
        codes={status: sorted(found) for status, found in codes.items()},
        examples=examples,
        words=WORDS,
        tags=TAGS,
        license="Proprietary; all rights reserved",
        webhooks=events.webhooks(examples.get("events", {})),
        other_paths={events.STREAM_PATH: events.stream()},
        other_schemas=events.schemas(),
        other_security={"connection": _CONNECTION},
    )


def page() -> str:
    """The page behind /docs, as `python -m gateway openapi` writes it: the guide's reader is no part of the process."""
    from gateway.http import openapi_page

    return openapi_page.html(json.loads(FILE.read_bytes()), GUIDE.read_text("utf-8"))


async def get_openapi(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return _file(request, FILE, "application/json")


async def get_docs(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    request.replace_response_header(b"content-security-policy", _POLICY)
    return _file(request, PAGE, "text/html; charset=utf-8")


async def get_stylesheet(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return _file(request, _FOLDER / "style.css", "text/css; charset=utf-8")


async def get_script(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return _file(request, _FOLDER / "page.js", "text/javascript; charset=utf-8")


def _file(request: ApiRequest[Any, NoBody], file: Path, media_type: str) -> Response:
    """The same for every caller, so that a shared cache keeps one copy a coding."""
    body, tag = _read(file)
    request.replace_response_header(b"vary", b"Accept-Encoding, Origin")
    fields = {**_CACHED, "etag": f'"{tag}"'}
    if names_tag(request.header("if-none-match"), tag):
        return Response(status_code=304, headers=fields)
    return Response(body, 200, fields, media_type)


@functools.cache
def _read(file: Path) -> tuple[bytes, str]:
    """The bytes, and their tag."""
    body = file.read_bytes()
    return body, hashlib.blake2b(body, digest_size=12).hexdigest()


ROUTES = tagged(
    "Documentation",
    Route("GET", "/openapi.json", get_openapi, "The OpenAPI document", public=True, limits="read", etag="content"),
    Route(
        "GET",
        "/docs",
        get_docs,
        "The guide and the reference as a page",
        public=True,
        limits="read",
        etag="content",
        media_type="text/html",
        query=AnyQuery,
    ),
    Route(
        "GET",
        "/docs/style.css",
        get_stylesheet,
        "Stylesheet of the page",
        public=True,
        limits="read",
        etag="content",
        media_type="text/css",
    ),
    Route(
        "GET",
        "/docs/page.js",
        get_script,
        "Script of the page",
        public=True,
        limits="read",
        etag="content",
        media_type="text/javascript",
    ),
)

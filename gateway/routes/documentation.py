"""The API's own description: the document, and a page that shows it without any script."""

import functools
import json
from pathlib import Path

from starlette.responses import Response

from gateway.http import openapi_page
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.state import ApiRequest

# Written by `python -m gateway openapi`.
FILE = Path(__file__).parents[1] / "openapi.json"
_CACHED = {"cache-control": "public, max-age=300"}


async def get_openapi(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return Response(FILE.read_bytes(), 200, _CACHED, "application/json")


async def get_docs(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return Response(_page(), 200, _CACHED, "text/html; charset=utf-8")


async def get_stylesheet(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return Response(openapi_page.STYLESHEET, 200, _CACHED, "text/css; charset=utf-8")


@functools.cache
def _page() -> str:
    return openapi_page.html(json.loads(FILE.read_bytes()))


ROUTES = tagged(
    "Documentation",
    Route("GET", "/openapi.json", get_openapi, "This document", public=True),
    Route("GET", "/docs", get_docs, "This document as a page", public=True, media_type="text/html"),
    Route("GET", "/docs/style.css", get_stylesheet, "How the page looks", public=True, media_type="text/css"),
)

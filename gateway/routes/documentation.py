"""The API's own description: the document, and a page that shows it without any script."""

from starlette.responses import Response

from gateway import documentation_page
from gateway.call import Call
from gateway.routing import Route, tagged
from gateway.schemas.shapes import NoBody, NoQuery

_CACHED = {"cache-control": "public, max-age=300"}


async def get_openapi(call: Call[NoQuery, NoBody]) -> Response:
    return Response(documentation_page.FILE.read_bytes(), 200, _CACHED, "application/json")


async def get_docs(call: Call[NoQuery, NoBody]) -> Response:
    return Response(documentation_page.html(), 200, _CACHED, "text/html; charset=utf-8")


async def get_stylesheet(call: Call[NoQuery, NoBody]) -> Response:
    return Response(documentation_page.STYLESHEET, 200, _CACHED, "text/css; charset=utf-8")


ROUTES = tagged(
    "Documentation",
    Route("GET", "/openapi.json", get_openapi, "This document", public=True),
    Route("GET", "/docs", get_docs, "This document as a page", public=True, media_type="text/html"),
    Route("GET", "/docs/style.css", get_stylesheet, "How the page looks", public=True, media_type="text/css"),
)

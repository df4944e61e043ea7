"""The console's page and files, and the ways there from the site's root and from an OpenID provider. No resource, no
credential."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from gateway.console.assets import CODINGS, Asset
from gateway.http.conditional import names_tag
from gateway.http.negotiation import choose_coding
from gateway.http.responses import encode_json
from gateway.http.routing import Route
from gateway.http.schema import AnyQuery, NoBody
from gateway.state import ApiRequest
from libs.errors import NotFound

# Of the parameters of a provider's answer, the characters that are passed on; /api/login/openid/complete takes no more.
_MOST = 2_000

Handler = Callable[[ApiRequest[AnyQuery, NoBody]], Awaitable[Response]]

# The release is part of a file's path, so its content never changes: a year, the longest that caches keep.
_IMMUTABLE = "public, max-age=31536000, immutable"
# The page names the release, so it is asked for each time; its ETag makes that cheap.
_REVALIDATE = "no-cache"
# Where programs and their authors find what the API is (RFC 8631).
_DESCRIBED = '</openapi.json>; rel="service-desc", </docs>; rel="service-doc"'
_JSON = "application/json"
# What the page may do: run and show its own files, call its own origin and the sockets. Trusted types refuse any text
# that would become HTML or a script.
_POLICY = (
    "default-src 'none'; script-src 'self' {import_map}; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self' {sockets}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'"
)


async def get_root(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    """A browser goes to the console, which links the documentation; any other client is told where things are."""
    headers = {"cache-control": _REVALIDATE, "link": _DESCRIBED}
    request.replace_response_header(b"vary", b"Accept, Accept-Encoding, Origin")
    if "text/html" in request.header("accept").lower():
        return RedirectResponse("/app", 302, headers)
    url = request.options.public_url
    places = {"documentation": "/docs", "openapi": "/openapi.json", "console": "/app", "health": "/health"}
    return Response(encode_json({name: url + path for name, path in places.items()}), 200, headers, _JSON)


async def get_openid(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    """The provider's answer moves into the fragment: the console sends it, and no request of the page names it."""
    names = ("code", "state", "error", "error_description")
    answer = {name: request.query_params[name][:_MOST] for name in names if name in request.query_params}
    return RedirectResponse(f"/app#/openid?{urlencode(answer)}", 303, {"cache-control": "no-store"})


async def get_console(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    app = request.app
    policy = _POLICY.format(import_map=app.console.import_map, sockets=app.settings.realtime_public_url)
    request.replace_response_header(b"content-security-policy", policy.encode())
    tag = app.console.release
    if names_tag(request.header("if-none-match"), tag):
        return Response(status_code=304, headers={"cache-control": _REVALIDATE, "etag": f'"{tag}"'})
    return _file(request, app.console.page, _REVALIDATE, tag)


async def get_file(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    return _named(request, request.path_params["name"])


async def get_file_in_folder(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    return _named(request, f"{request.path_params['name']}/{request.path_params['file']}")


def _named(request: ApiRequest[AnyQuery, NoBody], name: str) -> Response:
    console = request.app.console
    asset = console.files.get(name) if request.path_params["release"] == console.release else None
    if asset is None:
        raise NotFound("file_not_found", "This release of the console has no such file. Open /app again.")
    # A file is the same for every caller, so that a CDN keeps one copy a coding.
    request.replace_response_header(b"vary", b"Accept-Encoding")
    return _file(request, asset, _IMMUTABLE)


def _file(request: ApiRequest[AnyQuery, NoBody], asset: Asset, cache_control: str, tag: str = "") -> Response:
    coding = choose_coding(request.header("accept-encoding"), CODINGS)
    headers = {"cache-control": cache_control}
    if coding in asset.forms:
        headers["content-encoding"] = coding
    if tag:
        # A tag names one representation: each coding has its own (RFC 9110, 8.8.3).
        headers["etag"] = f'"{tag}-{coding}"' if coding in asset.forms else f'"{tag}"'
    return Response(asset.forms.get(coding, asset.body), 200, headers, asset.media_type)


def _page(path: str, handler: Handler, summary: str) -> Route[Any, Any]:
    return Route(
        "GET", path, handler, summary, tag="Console", public=True, limits="read", documented=False, query=AnyQuery
    )


ROUTES = (
    _page("/", get_root, "Where the console, the documentation and the API are"),
    _page("/openid", get_openid, "Where an OpenID provider sends the browser back"),
    _page("/app", get_console, "The console, for people"),
    _page("/app/{release}/{name}", get_file, "A file of the console"),
    _page("/app/{release}/{name}/{file}", get_file_in_folder, "A file of the console, in a folder"),
)

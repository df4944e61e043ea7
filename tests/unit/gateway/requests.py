"""Requests as the outermost layer makes them, for tests of single pieces."""

from collections.abc import Iterable
from typing import Any

from gateway.http.request import Options, Request

OPTIONS = Options("https://api.example.com")


def make_request(headers: dict[str, str] | None = None) -> Request[Any, Any, Any]:
    """A GET with these header fields; `_` stands for `-`. Its body never comes."""
    return body_request((), headers, method="GET")


def body_request(
    messages: Iterable[dict[str, Any]], headers: dict[str, str] | None = None, *, method: str = "POST"
) -> Request[Any, Any, Any]:
    """A request whose body comes as these ASGI messages."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    fields = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": "/f", "headers": fields}
    return Request(scope, receive, OPTIONS)

"""Requests as the outermost layer makes them, for tests of single pieces."""

from collections.abc import Iterable
from typing import Any

from gateway.http.request import Options, Request

OPTIONS = Options("https://api.example.com")


def make_request(
    headers: dict[str, str] | None = None, *, scope: dict[str, Any] | None = None
) -> Request[Any, Any, Any]:
    """A GET with these header fields; its body never comes."""
    return _request(pairs(headers or {}), scope)


def body_request(messages: Iterable[dict[str, Any]], headers: dict[str, str] | None = None) -> Request[Any, Any, Any]:
    """A POST whose body comes as these ASGI messages."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return _request(pairs(headers or {}), {"method": "POST"}, receive)


def pairs(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]


def _request(
    fields: list[tuple[bytes, bytes]], scope: dict[str, Any] | None = None, receive: Any = None
) -> Request[Any, Any, Any]:
    return Request(
        {"type": "http", "method": "GET", "path": "/f", "headers": fields, **(scope or {})}, receive, OPTIONS
    )

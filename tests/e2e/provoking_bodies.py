"""Requests whose body never comes, or says that it is larger than any may be, written byte by byte."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from .document import Operation
from .scene import Scene

# More than any operation takes.
TOO_MUCH = 64 * 1024 * 1024 + 1
_MULTIPART = "multipart/form-data; boundary=x"


async def stalled_body(scene: Scene, operation: Operation) -> httpx.Response:
    """A body of which no byte arrives; test_bad_input.py has one that stops in the middle."""
    return await _raw(scene, operation, length=100)


async def endless_body(scene: Scene, operation: Operation) -> httpx.Response:
    """A body that says it is larger than any may be; not a byte of it is sent."""
    return await _raw(scene, operation, length=TOO_MUCH)


async def _raw(scene: Scene, operation: Operation, *, length: int) -> httpx.Response:
    url = urlsplit(scene.customer.url)
    kind = operation.body[0] if operation.body else "application/json"
    headers = {
        "Host": url.netloc,
        "Content-Type": _MULTIPART if operation.path == "/api/documents/upload" else kind,
        "Content-Length": str(length),
        "Connection": "close",
    }
    authorization = scene.http(operation).headers.get("authorization")
    if authorization:
        headers["Authorization"] = authorization
    path = await asyncio.to_thread(scene.path, operation)
    head = f"{operation.method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(head.encode() + b"\r\n")
    raw = await reader.read()
    writer.close()
    head_part, _, content = raw.partition(b"\r\n\r\n")
    status, *lines = head_part.decode("latin-1").split("\r\n")
    fields = [tuple(line.split(": ", 1)) for line in lines]
    kept = [(name, text) for name, text in fields if name.lower() != "transfer-encoding"]
    request = httpx.Request(operation.method, f"{scene.customer.url}{path}")
    return httpx.Response(int(status.split()[1]), headers=kept, content=content, request=request)

"""A customer's way to the API: the Python client of clients/python, showing what it sends and what comes back.

Each call names the status that it expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from clients.python.echosenseix import ApiError, AsyncClient
from clients.python.echosenseix.requests import Call
from local.demo.console import Console, StepFailed


class Api:
    """One caller of the gateway. `quiet` calls are not shown (polling)."""

    def __init__(self, url: str, console: Console, credential: str = "") -> None:
        self.url = url
        self.client = AsyncClient(url, credential or None)
        # For steps that send a request past the client.
        self.authorization = f"Bearer {credential}" if credential else ""
        self._console = console
        # A provider repeats its deliveries itself, so these are sent once.
        self._http = httpx.AsyncClient(base_url=url)

    def with_credential(self, credential: str) -> Api:
        return Api(self.url, self._console, credential)

    async def get(self, path: str, *, expect: int = 200, quiet: bool = False, **params: Any) -> Any:
        return await self._send(Call("GET", path, params=params), expect, quiet)

    async def post(self, path: str, body: object = None, *, expect: int = 201, key: bool = True) -> Any:
        return await self._send(Call("POST", path, json=body, keyed=key), expect)

    async def put(self, path: str, body: object, *, expect: int = 200) -> Any:
        return await self._send(Call("PUT", path, json=body, keyed=True), expect)

    async def patch(self, path: str, body: object, *, expect: int = 200) -> Any:
        return await self._send(Call("PATCH", path, json=body, keyed=True), expect)

    async def upload(self, name: str, content: bytes, category: str) -> Any:
        taken = await self.client.documents.upload_document(content, file_name=name, category=category)
        self._console.exchange("POST", "/api/documents/upload", f"<{name}, {len(content):,} bytes>", 202, taken)
        return taken

    async def raw(self, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """As a provider posts."""
        return await self._http.post(path, content=content, headers=dict(headers))

    async def close(self) -> None:
        await self.client.close()
        await self._http.aclose()

    async def _send(self, call: Call, expect: int, quiet: bool = False) -> Any:
        content: Any
        try:
            answer = await self.client.send(call)
            status, content = answer.status_code, answer.json()
        except ApiError as refusal:
            status, content = refusal.status, refusal.problem
        shown = call.path + (f"?{httpx.QueryParams(dict(call.params))}" if call.params else "")
        if not quiet:
            self._console.exchange(call.method, shown, call.json, status, content)
        if status != expect:
            raise StepFailed(f"{call.method} {shown} answered {status}, not {expect}: {content}")
        return content

"""A customer's HTTP client: shows what it sends and what comes back, and expects a status."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from local.demo.console import Console, StepFailed

SECONDS = 15.0


class Api:
    """One caller of the gateway. `quiet` calls are not shown (polling)."""

    def __init__(self, url: str, console: Console, credential: str = "") -> None:
        self.url = url
        self._console = console
        self.authorization = f"Bearer {credential}" if credential else ""
        headers = {"Authorization": self.authorization} if credential else {}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=SECONDS)

    def with_credential(self, credential: str) -> Api:
        return Api(self.url, self._console, credential)

    async def get(self, path: str, *, expect: int = 200, quiet: bool = False, **params: Any) -> Any:
        return await self._send("GET", path, expect, quiet, params=params)

    async def post(self, path: str, body: object = None, *, expect: int = 201, key: bool = True) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if key else {}
        return await self._send("POST", path, expect, False, body=body, headers=headers)

    async def put(self, path: str, body: object, *, expect: int = 200) -> Any:
        return await self._send("PUT", path, expect, False, body=body)

    async def patch(self, path: str, body: object, *, expect: int = 200) -> Any:
        return await self._send("PATCH", path, expect, False, body=body)

    async def delete(self, path: str) -> None:
        await self._http.delete(path)

    async def upload(self, path: str, name: str, content: bytes, **fields: str) -> Any:
        answer = await self._http.post(path, files={"document": (name, content)}, data=fields)
        return self._taken("POST", path, f"<{name}, {len(content):,} bytes>", answer, 202, quiet=False)

    async def raw(self, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self._http.post(path, content=content, headers=dict(headers))

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        expect: int,
        quiet: bool,
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        answer = await self._http.request(
            method, path, params=dict(params or {}), headers=dict(headers or {}), json=body
        )
        shown = path + (f"?{httpx.QueryParams(dict(params))}" if params else "")
        return self._taken(method, shown, body, answer, expect, quiet)

    def _taken(self, method: str, path: str, body: object, answer: httpx.Response, expect: int, quiet: bool) -> Any:
        is_json = "json" in answer.headers.get("content-type", "")
        content = answer.json() if is_json else answer.text
        if not quiet:
            self._console.exchange(method, path, body, answer.status_code, content)
        if answer.status_code != expect:
            raise StepFailed(f"{method} {path} answered {answer.status_code}, not {expect}: {content}")
        return content

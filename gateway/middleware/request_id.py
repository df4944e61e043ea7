"""The outermost layer: makes the request, gives it an id, and adds the header fields that inner layers noted.

An id from outside is kept when it is safe to log and to send on; any other is replaced.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.request import Options, Request
from libs.ids import new_id

OnHotRead = Callable[[Request[Any, Any, Any], list[tuple[bytes, bytes]]], None]
_SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """X-Request-Id in and out. `state` is what the application keeps for all requests."""

    def __init__(self, app: ASGIApp, *, state: object, options: Options) -> None:
        self._app = app
        self._state = state
        self._options = options
        # Hears of answers from this process's memory, with all their fields.
        self.on_hot_read: OnHotRead | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._state
        request: Request[Any, Any, Any] = Request(scope, receive, self._options)
        scope.setdefault("state", {})["request"] = request
        request.started = time.perf_counter()
        given = request.header("x-request-id")
        request.request_id = given if _SAFE.fullmatch(given) else new_id("req")
        request.response_headers.append((b"x-request-id", request.request_id.encode()))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = [*message["headers"], *request.response_headers]
                if request.hot_read is not None and self.on_hot_read is not None:
                    self.on_hot_read(request, message["headers"])
            await send(message)

        await self._app(scope, receive, send_with_headers)

"""The outermost layer: makes the exchange, gives the request its id, and adds the headers that inner layers noted.

An id from outside is kept when it is safe to log and to send on; any other is replaced.
"""

import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.exchange import KEY, Exchange
from libs.ids import new_id

_SAFE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """X-Request-Id in and out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(headers=dict(scope["headers"]), started=time.perf_counter())
        given = exchange.headers.get(b"x-request-id", b"")
        exchange.request_id = given.decode() if _SAFE.fullmatch(given) else new_id("req")
        exchange.response_headers.append((b"x-request-id", exchange.request_id.encode()))
        scope[KEY] = exchange

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], *exchange.response_headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)

"""Whatever an inner layer raises becomes a problem document; nothing else is written for an error.

An exception that is no AppError is logged with its traceback and answered without it.
"""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problems import problem_response
from gateway.http.request import request_of
from libs.errors import AppError

log = logging.getLogger("gateway.problems")


class Problems:
    """Catches, translates, answers; once an answer has begun the connection is cut instead."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if not isinstance(error, AppError):
                log.exception("unexpected error")
            if begun:
                raise
            request = request_of(scope)
            request.secret = False
            response = problem_response(error, scope["path"], request.request_id, signed_in=bool(request.credential))
            await response(scope, receive, send)

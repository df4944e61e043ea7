"""Turns an exception of an inner layer into a problem document.

An exception that is no AppError is logged with its traceback; the response does not show it.
"""

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.problems import problem_response
from gateway.http.request import request_of
from libs.errors import OVERLOADED, AppError

log = logging.getLogger("gateway.problems")


class Problems:
    """Once a response has begun, the exception goes on to the server, which closes the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if not isinstance(error, AppError):
                log.exception("unexpected error")
            request = request_of(scope)
            if request.status:
                raise
            request.secret = False
            request.shed = isinstance(error, AppError) and error.reason == OVERLOADED
            response = problem_response(error, scope["path"], request.request_id, signed_in=bool(request.credential))
            await response(scope, receive, send)

"""Errors of the client. A refusal of the API is an ApiError with what its problem document says (RFC 9457)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .generated import models


class EchoSenseiXError(Exception):
    """The base of every error of this package."""


class ConnectionFailed(EchoSenseiXError):
    """No answer came, and the attempts are used up; `__cause__` is the error of httpx."""


class PositionExpired(EchoSenseiXError):
    """Events between `after` and `oldest` cannot be read any more, or the log is another one. Read anew what you keep
    of them, then go on with `after=str(oldest - 1)`."""

    def __init__(self, after: int, oldest: int) -> None:
        super().__init__(f"the events after {after} are gone; the oldest that can be read is {oldest}")
        # Positions in the organization's log.
        self.after = after
        self.oldest = oldest


class WebhookRefused(EchoSenseiXError):
    """A delivery is not signed with the secret, or not for the present time. Answer 401."""


class ApiError(EchoSenseiXError):
    """The API refused. Branch on `code`, which is stable; show `detail`, which says what to do."""

    def __init__(self, status: int, problem: models.Problem, retry_after: float | None) -> None:
        super().__init__(f"{status} {problem['code']}: {problem['detail']}")
        self.status = status
        self.problem = problem
        self.code = problem["code"]
        self.detail = problem["detail"]
        # Where in the request, what and why: JSON pointers.
        self.errors = problem["errors"]
        # Name it when you report the error.
        self.request_id = problem["requestId"]
        # Seconds to wait; None where waiting does not help.
        self.retry_after = retry_after


class BadRequest(ApiError):
    """400: the request is malformed."""


class NotAuthenticated(ApiError):
    """401: the key or token is missing, wrong or over."""


class Forbidden(ApiError):
    """403: the key may not do this."""


class NotFound(ApiError):
    """404: there is no such thing in this organization."""


class Conflict(ApiError):
    """409: the present state does not allow it."""


class PreconditionFailed(ApiError):
    """412: the resource has another version than `if_match` names."""


class ValidationFailed(ApiError):
    """422: `errors` says which fields are wrong."""


class TooManyRequests(ApiError):
    """429: wait for `retry_after` seconds."""


class ServerError(ApiError):
    """5xx: the server failed, and trying again did not help or would not."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: ValidationFailed,
    429: TooManyRequests,
}


def api_error(response: httpx.Response) -> ApiError:
    """The error of a refusal whose body has been read."""
    status = response.status_code
    kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
    return kind(status, _problem(response), retry_after_seconds(response))


def retry_after_seconds(response: httpx.Response) -> float | None:
    """What Retry-After says in seconds. The API sends no dates, but a proxy before it may (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is in UTC (RFC 5322, 3.3: -0000).
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _problem(response: httpx.Response) -> models.Problem:
    """The problem document, or one made of the status when a proxy answered in the API's place."""
    try:
        found: Any = json.loads(response.content)
    except ValueError:
        found = None
    if isinstance(found, dict) and {"code", "detail", "errors", "requestId"} <= found.keys():
        return found  # type: ignore[return-value]  # the keys were just looked at
    return {
        "type": "about:blank",
        "title": response.reason_phrase,
        "status": response.status_code,
        "detail": response.text[:300] or response.reason_phrase,
        "instance": response.url.path,
        "code": "unknown",
        "requestId": response.headers.get("x-request-id", ""),
        "errors": [],
    }

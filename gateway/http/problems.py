"""The only place where an error becomes HTTP: AppError -> status and application/problem+json (RFC 9457).

One table maps the canonical codes to statuses, a second the reasons for which HTTP has a status of its own. It must not
decide whether something is an error, nor add to what the error says.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from gateway.http.responses import NO_STORE, encode_json
from gateway.http.schema import Problem, Violation
from libs.errors import AppError, Code, Internal

MEDIA_TYPE = "application/problem+json"

STATUS_OF_CODE: Mapping[Code, int] = {
    Code.CANCELLED: 503,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 422,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 409,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

# Reasons for which HTTP has a status of its own.
STATUS_OF_REASON: Mapping[str, int] = {
    "duplicate_key": 400,
    "idempotency_key_required": 400,
    "incomplete_body": 400,
    "invalid_cursor": 400,
    "invalid_header": 400,
    "invalid_idempotency_key": 400,
    "invalid_multipart": 400,
    "invalid_query": 400,
    "invalid_utf8": 400,
    "json_too_deep": 400,
    "malformed_json": 400,
    "page_out_of_range": 400,
    "repeated_header": 400,
    "webhook_payload_invalid": 400,
    # A service refused the gateway's own principal; the client cannot fix that.
    "invalid_principal": 503,
    "principal_required": 503,
    "out_of_credit": 402,
    "method_not_allowed": 405,
    "request_too_slow": 408,
    "link_expired": 410,
    "stale_version": 412,
    "message_too_large": 413,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "idempotency_key_reused": 422,
    "precondition_required": 428,
    "payment_provider_failed": 502,
    "provider_failed": 502,
    "storage_full": 507,
}

# One title per status: RFC 9457 wants a title that does not vary with the occurrence.
TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Not authenticated",
    402: "Payment required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition failed",
    413: "Payload too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Validation failed",
    428: "Precondition required",
    429: "Too many requests",
    500: "Internal server error",
    501: "Not implemented",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
    507: "Insufficient storage",
}

_INTERNAL = Internal("internal", "The server failed. Try again, or report the request id.")
_DEFAULT_RETRY_SECONDS = {503: 1.0, 429: 1.0}
_FIELDS_OF_METADATA = frozenset(("accept", "accept-patch", "allow"))
# Reasons of 503 that end when someone changes a setting or the request, so that they name no time to wait.
_WAITING_IS_NO_HELP = frozenset(("webhook_secret_unset", "answer_too_large"))


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as HTTP sees it."""

    status: int
    error: AppError

    def headers(self, *, signed_in: bool) -> dict[str, str]:
        """The header fields that belong to the document."""
        fields = {"cache-control": NO_STORE}
        if self.status == 401:
            challenge = 'Bearer realm="echosenseix"'
            fields["www-authenticate"] = challenge + (', error="invalid_token"' if signed_in else "")
        retry_after = self.error.retry_after
        if retry_after is None and self.error.reason not in _WAITING_IS_NO_HELP:
            retry_after = _DEFAULT_RETRY_SECONDS.get(self.status)
        if retry_after is not None:
            fields["retry-after"] = str(max(1, math.ceil(retry_after)))
        # What would have been accepted in place of what was sent.
        fields |= {name: text for name, text in self.error.metadata.items() if name in _FIELDS_OF_METADATA}
        if self.status == 416 and "size" in self.error.metadata:
            fields["content-range"] = f"bytes */{self.error.metadata['size']}"
        return fields


def refusal_of(error: BaseException) -> Refusal:
    """The status of an error. An exception that is no AppError is a fault of the server and shows nothing of itself."""
    known = error if isinstance(error, AppError) else _INTERNAL
    return Refusal(STATUS_OF_REASON.get(known.reason) or STATUS_OF_CODE[known.code], known)


def problem_document(refusal: Refusal, path: str, request_id: str) -> Problem:
    """The document of a refusal at a path."""
    error = refusal.error
    return Problem(
        type=f"urn:echosenseix:problem:{error.reason}",
        title=TITLES[refusal.status],
        status=refusal.status,
        detail=error.detail,
        instance=path,
        code=error.reason,
        request_id=request_id,
        errors=[Violation(item.pointer, item.code, item.detail) for item in error.violations],
    )


def problem_response(error: BaseException, path: str, request_id: str, *, signed_in: bool = False) -> Response:
    """The whole response to a refused request."""
    refusal = refusal_of(error)
    body = encode_json(problem_document(refusal, path, request_id))
    return Response(body, refusal.status, refusal.headers(signed_in=signed_in), MEDIA_TYPE)

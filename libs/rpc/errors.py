"""AppError on the wire: canonical code, and ErrorInfo, BadRequest and RetryInfo in grpc-status-details-bin; and back.

A status without our ErrorInfo comes from a library or a proxy; its text may hold an address, so it is replaced by a
fixed one. An exception that is no AppError is translated here too, again into fixed words.
"""

import asyncio
import math
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from libs.context import remaining_seconds
from libs.errors import (
    ERROR_OF_CODE,
    Aborted,
    AppError,
    Code,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    Unavailable,
    Violation,
)

DOMAIN = "echosenseix"
# The peer itself was away, as against something it depends on.
UNREACHABLE = "service_unavailable"
DETAILS_KEY = "grpc-status-details-bin"
# grpc cuts a connection whose metadata exceed 8 KiB; the rest is room for the other keys.
_MAX_DETAILS = 6_000
# Violations in an error, which must fit into 8 KiB of metadata.
_MAX_VIOLATIONS = 32
_STATUS_OF_CODE: dict[Code, grpc.StatusCode] = {
    code: next(status for status in grpc.StatusCode if status.value[0] == code.value) for code in Code
}
_CODE_OF_STATUS = {status: code for code, status in _STATUS_OF_CODE.items()}

_FOREIGN: dict[Code, tuple[str, str, float | None]] = {
    Code.UNAVAILABLE: (UNREACHABLE, "This part of the service cannot be reached. Try again shortly.", 1.0),
    Code.DEADLINE_EXCEEDED: ("deadline_exceeded", "The answer took too long. Try again.", None),
    Code.RESOURCE_EXHAUSTED: ("message_too_large", "The request or its answer is too large. Ask for less.", None),
    Code.UNIMPLEMENTED: ("not_implemented", "This is not offered here.", None),
    Code.UNAUTHENTICATED: ("invalid_principal", "Call through the gateway, or with a fresh principal.", None),
}
# What grpc.aio makes, on our own side, of a write into a call that has just ended: the peer went away, or refused.
_CUT_WHILE_WRITING = "Internal error from Core"
_FOREIGN_REST = ("internal", "The server failed. Try again, or report the request id.", None)


def status_code(error: AppError) -> grpc.StatusCode:
    """The error's code in grpc's own enum."""
    return _STATUS_OF_CODE[error.code]


def status_details(error: AppError) -> bytes:
    """A serialized google.rpc.Status with the error's reason, violations and retry delay, within grpc's limits."""
    violations = error.violations[:_MAX_VIOLATIONS]
    while True:
        raw: bytes = _status(error, violations).SerializeToString()
        if len(raw) <= _MAX_DETAILS or not violations:
            return raw
        violations = violations[: len(violations) // 2]


def _status(error: AppError, violations: tuple[Violation, ...]) -> status_pb2.Status:
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    if violations:
        bad_request = error_details_pb2.BadRequest()
        for item in violations:
            bad_request.field_violations.add(field=item.pointer, reason=item.code, description=item.detail[:500])
        details.append(bad_request)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(math.ceil(error.retry_after * 1000))
        details.append(retry)
    status = status_pb2.Status(code=error.code.value, message=error.detail[:1000])
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def error_from_rpc(error: grpc.aio.AioRpcError) -> AppError:
    """The AppError that the peer raised, or one with a fixed text when the status is not ours."""
    code = _CODE_OF_STATUS.get(error.code(), Code.UNKNOWN)
    if (own := _peers_error(error, code)) is not None:
        return own
    # A peer that ends cancels the calls that it has no time for; our own cancellation never comes as a status.
    if code is Code.CANCELLED or (error.details() or "").startswith(_CUT_WHILE_WRITING):
        code = Code.UNAVAILABLE
    reason, detail, retry_after = _FOREIGN.get(code, _FOREIGN_REST)
    return ERROR_OF_CODE[code](reason, detail, retry_after=retry_after)


def is_answered(error: grpc.aio.AioRpcError) -> bool:
    """Whether the peer itself ended the call, as against our side or a proxy."""
    return _peers_error(error, _CODE_OF_STATUS.get(error.code(), Code.UNKNOWN)) is not None


def error_from_details(raw: bytes) -> AppError:
    """The AppError that `status_details` wrote; Internal for other bytes."""
    try:
        known = _own_error(Code(status_pb2.Status.FromString(raw).code), raw)
    except (DecodeError, ValueError):
        known = None
    return known or Internal(_FOREIGN_REST[0], _FOREIGN_REST[1])


def _peers_error(error: grpc.aio.AioRpcError, code: Code) -> AppError | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes) and (own := _own_error(code, value)) is not None:
            return own
    return None


def _own_error(code: Code, raw: bytes) -> AppError | None:
    info, bad_request, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), None
    try:
        status = status_pb2.Status.FromString(raw)
        for detail in status.details:
            if detail.Is(info.DESCRIPTOR):
                detail.Unpack(info)
            elif detail.Is(bad_request.DESCRIPTOR):
                detail.Unpack(bad_request)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
    except DecodeError:
        return None
    if info.domain != DOMAIN or status.code != code.value:
        return None
    return ERROR_OF_CODE[code](
        info.reason,
        status.message,
        violations=[Violation(item.field, item.reason, item.description) for item in bad_request.field_violations],
        metadata=dict(info.metadata),
        retry_after=None if retry is None else retry.retry_delay.ToMilliseconds() / 1000,
    )


def error_from_exception(error: BaseException) -> AppError:
    """What a caller learns of an exception that is no AppError. Database errors are recognized by their SQLSTATE, so
    that this module need not import the driver."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return error_from_rpc(error)
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return _error_from_sqlstate(sqlstate)
    if isinstance(error, TimeoutError):
        left = remaining_seconds()
        if left is not None and left <= 0:
            return DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again, or ask for less.")
        return Unavailable(
            "dependency_timeout", "A part we depend on did not answer in time. Try again.", retry_after=1
        )
    if isinstance(error, (OSError, asyncio.IncompleteReadError)) or type(error).__name__ == "InterfaceError":
        return Unavailable("dependency_unavailable", "A part we depend on is away. Try again shortly.", retry_after=1)
    return Internal("internal", _FOREIGN_REST[1])


def _error_from_sqlstate(sqlstate: str) -> AppError:
    if sqlstate in ("40001", "40P01", "55P03"):
        return Aborted("concurrent_update", "Another request changed the same resource. Try again.", retry_after=0.1)
    if sqlstate == "57014":
        return DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again, or ask for less.")
    if sqlstate[:2] in ("08", "57"):
        return Unavailable("database_unavailable", "The database is away. Try again shortly.", retry_after=1)
    if sqlstate[:2] == "53":
        return Unavailable("database_exhausted", "The database is at its limit. Try again shortly.", retry_after=1)
    if sqlstate[:2] == "22":
        return InvalidArgument(
            "invalid_value", "A value cannot be stored: check for NUL characters and for numbers out of range."
        )
    return Internal("internal", _FOREIGN_REST[1])

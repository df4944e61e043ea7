import asyncio
import time

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from libs.context import CallContext, serving
from libs.errors import ERROR_OF_CODE, AppError, Code, InvalidArgument, NotFound, Unavailable, Violation
from libs.rpc.errors import (
    DETAILS_KEY,
    UNREACHABLE,
    error_from_exception,
    error_from_rpc,
    status_code,
    status_details,
)

LEAK = "10.1.2.3:5432"


def _rpc_error(error: AppError, details: bytes | None) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata() if details is None else grpc.aio.Metadata((DETAILS_KEY, details))
    return grpc.aio.AioRpcError(status_code(error), grpc.aio.Metadata(), trailing, details=f"at {LEAK}")


@pytest.mark.parametrize("code", list(Code))
def test_every_code_crosses_the_wire_whole(code: Code) -> None:
    sent = ERROR_OF_CODE[code](
        "some_reason",
        "Do this instead — täglich.",
        violations=[Violation("#/a/b", "too_long", "At most 3.")],
        metadata={"scope": "x"},
        retry_after=1.5,
    )
    got = error_from_rpc(_rpc_error(sent, status_details(sent)))
    assert type(got) is type(sent)
    assert status_code(sent).value[0] == code.value
    assert (got.reason, got.detail, got.violations) == (sent.reason, sent.detail, sent.violations)
    assert (got.metadata, got.retry_after) == (sent.metadata, sent.retry_after)


def test_a_call_that_a_peer_cancels_as_it_ends_counts_as_a_peer_that_is_away() -> None:
    ended = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), None, details="CANCELLED")
    told = error_from_rpc(ended)
    assert isinstance(told, Unavailable)
    assert told.reason == UNREACHABLE


def test_a_call_cut_while_we_wrote_says_to_try_again() -> None:
    cut = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), None, details="Internal error from Core")
    got = error_from_rpc(cut)
    assert (got.code, got.reason) == (Code.UNAVAILABLE, "service_unavailable")


@pytest.mark.parametrize("code", list(Code))
def test_a_foreign_status_gets_our_words(code: Code) -> None:
    got = error_from_rpc(_rpc_error(ERROR_OF_CODE[code]("r", "d"), None))
    assert got.code is (Code.UNAVAILABLE if code is Code.CANCELLED else code)
    assert LEAK not in got.detail
    assert got.reason


def _foreign_details() -> list[bytes]:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="x", domain="googleapis.com"))
    mine = any_pb2.Any()
    mine.Pack(error_details_pb2.ErrorInfo(reason="x", domain="echosenseix"))
    return [
        b"",
        b"\xff\xff",
        status_pb2.Status(code=5, message=LEAK).SerializeToString(),
        status_pb2.Status(code=5, message=LEAK, details=[info]).SerializeToString(),
        status_pb2.Status(code=14, message=LEAK, details=[mine]).SerializeToString(),
    ]


@pytest.mark.parametrize("details", _foreign_details())
def test_details_that_are_not_ours_are_not_believed(details: bytes) -> None:
    got = error_from_rpc(_rpc_error(NotFound("r", "d"), details))
    assert got.code is Code.NOT_FOUND
    assert LEAK not in got.detail


def test_details_stay_within_the_limit_of_headers() -> None:
    violations = [Violation(f"#/{'x' * 200}/{number}", "c" * 50, "d" * 2_000) for number in range(500)]
    raw = status_details(InvalidArgument("validation_failed", "e" * 5_000, violations=violations))
    assert len(raw) <= 6_000
    got = error_from_rpc(_rpc_error(InvalidArgument("r", "d"), raw))
    assert got.reason == "validation_failed"
    assert 1 <= len(got.violations) < 32


class SqlError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"at {LEAK}")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SqlError("40001"), Code.ABORTED),
        (SqlError("40P01"), Code.ABORTED),
        (SqlError("57014"), Code.DEADLINE_EXCEEDED),
        (SqlError("57P03"), Code.UNAVAILABLE),
        (SqlError("08006"), Code.UNAVAILABLE),
        (SqlError("53300"), Code.UNAVAILABLE),
        (SqlError("22021"), Code.INVALID_ARGUMENT),
        (SqlError("23505"), Code.INTERNAL),
        (ConnectionRefusedError(LEAK), Code.UNAVAILABLE),
        (TimeoutError(LEAK), Code.UNAVAILABLE),
        (asyncio.IncompleteReadError(b"", 1), Code.UNAVAILABLE),
        (ValueError(LEAK), Code.INTERNAL),
        (KeyError(LEAK), Code.INTERNAL),
    ],
)
def test_other_exceptions_say_nothing_of_themselves(error: Exception, code: Code) -> None:
    got = error_from_exception(error)
    assert got.code is (Code.UNAVAILABLE if code is Code.CANCELLED else code)
    assert LEAK not in got.detail


def test_a_timeout_after_the_deadline_is_the_deadlines() -> None:
    with serving(CallContext(deadline=time.monotonic() - 1)):
        assert error_from_exception(TimeoutError()).code is Code.DEADLINE_EXCEEDED


def test_our_own_errors_cross_untouched() -> None:
    error = Unavailable("x", "y")
    assert error_from_exception(error) is error

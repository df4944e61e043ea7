"""The one internal error type: every refusal in the suite is an AppError with a canonical code and a stable reason.

Owns the sixteen error codes of gRPC as plain Python, so that domain and storage raise them without knowing a
protocol. It must not import anything but the standard library; the translation to gRPC lives in libs.rpc.errors and to
HTTP in gateway.http.problems.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

# The reason of a refusal for which there is more work than can be done: 503 with a Retry-After.
OVERLOADED = "overloaded"


class Code(enum.Enum):
    """The canonical error codes; the value is the number that gRPC sends. OK is no error and has no member."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule: where (a JSON pointer such as "#/llm/temperature"), which rule, what to do."""

    pointer: str
    code: str
    detail: str


class AppError(Exception):
    """A refusal. `reason` is the stable snake_case problem code; `detail` tells a human what to do and never echoes
    an id or a secret. `retry_after` is in seconds."""

    code: ClassVar[Code] = Code.UNKNOWN

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.detail}"


class Cancelled(AppError):
    code = Code.CANCELLED


class Unknown(AppError):
    code = Code.UNKNOWN


class InvalidArgument(AppError):
    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(AppError):
    code = Code.DEADLINE_EXCEEDED


class NotFound(AppError):
    code = Code.NOT_FOUND


class AlreadyExists(AppError):
    code = Code.ALREADY_EXISTS


class PermissionDenied(AppError):
    code = Code.PERMISSION_DENIED


class ResourceExhausted(AppError):
    code = Code.RESOURCE_EXHAUSTED


class FailedPrecondition(AppError):
    code = Code.FAILED_PRECONDITION


class Aborted(AppError):
    code = Code.ABORTED


class OutOfRange(AppError):
    code = Code.OUT_OF_RANGE


class Unimplemented(AppError):
    code = Code.UNIMPLEMENTED


class Internal(AppError):
    code = Code.INTERNAL


class Unavailable(AppError):
    code = Code.UNAVAILABLE


class DataLoss(AppError):
    code = Code.DATA_LOSS


class Unauthenticated(AppError):
    code = Code.UNAUTHENTICATED


ERROR_OF_CODE: Mapping[Code, type[AppError]] = {
    kind.code: kind
    for kind in (
        Cancelled,
        Unknown,
        InvalidArgument,
        DeadlineExceeded,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        FailedPrecondition,
        Aborted,
        OutOfRange,
        Unimplemented,
        Internal,
        Unavailable,
        DataLoss,
        Unauthenticated,
    )
}


def step(pointer: str, name: str | int) -> str:
    """The JSON pointer (RFC 6901) to a member. Lone surrogates, which no answer can carry, become question marks."""
    text = str(name).replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{text.encode('utf-8', 'replace').decode()}"


def invalid_parameter(name: str, detail: str, reason: str = "invalid_query") -> InvalidArgument:
    """The refusal of a query parameter or a header field, which it names."""
    return InvalidArgument(reason, detail, violations=[Violation(step("#", name), "invalid_value", detail)])


def parameter_out_of_range(name: str, detail: str, reason: str) -> OutOfRange:
    """The refusal of a query parameter whose value is well-formed, but beyond what can be reached."""
    return OutOfRange(reason, detail, violations=[Violation(step("#", name), "out_of_range", detail)])

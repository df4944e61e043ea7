"""How a call in the sandbox can end other than by its result."""

from typing import Literal

Limit = Literal["memory", "cpu", "time", "output"]


class SandboxError(Exception):
    """The call gave no result."""


class LimitExceeded(SandboxError):
    """The call needed more than one of its limits allows; `limit` names it."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(f"the {limit} limit was exceeded")
        self.limit = limit


class Refused(SandboxError):
    """The function raised an error that has a reason: an answer about its input, not a fault."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Crashed(SandboxError):
    """The process ended without an answer. `signal` is the number that ended it, 0 where none did."""

    def __init__(self, message: str, signal: int = 0) -> None:
        super().__init__(message)
        self.signal = signal

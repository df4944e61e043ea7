"""The call that the current task serves: its deadline, idempotency key, trace; carried by a context variable.

Standard library only, so that libs.postgres and domain-free rooms can read a deadline without knowing gRPC;
libs.rpc.context fills it and says the same names again. Outside a call it is empty.
"""

import contextlib
import contextvars
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Audited:
    """A write of a user that the audit log shall have. The transaction that commits it records it, once a call.
    `org_id`, `user_id` and `session_id` are set where the call itself finds out who acts, as a login does. `changes`
    are those of transactions of the call that belonged to no organization. `also` is a second organization whose log
    has the write."""

    id: str
    action: str
    target_id: str = ""
    client_address: str = ""
    org_id: str = ""
    user_id: str = ""
    session_id: str = ""
    changes: str = ""
    also: str = ""


@dataclass(slots=True)
class CallContext:
    """`deadline` is on the monotonic clock, None for none. `response_headers` become trailing metadata. `repeatable`:
    calls made for this one change nothing by a second time, being reads or under a key; not passed on. `on_behalf_of`
    goes with them and shows for which organization they act: the token of the user's request, or the job.
    `may_lag`: a list may be as old as a replica's bound.
    `caller_job` is what a calling worker shows: its job's id and lease."""

    request_id: str = ""
    deadline: float | None = None
    idempotency_key: str = ""
    idempotency_fingerprint: str = ""
    traceparent: str = ""
    min_version: int = 0
    repeatable: bool = False
    may_lag: bool = False
    on_behalf_of: str = field(default="", repr=False)
    caller_job: str = field(default="", repr=False)
    response_headers: dict[str, str] = field(default_factory=dict)
    # None: a read, or a write that was recorded.
    audited: Audited | None = None


JOB_PREFIX = "job "


def job_proof(job_id: str, lease: str) -> str:
    """The `on_behalf_of` of a worker's calls (libs.rpc.delegation)."""
    return f"{JOB_PREFIX}{job_id} {lease}"


_current: contextvars.ContextVar[CallContext | None] = contextvars.ContextVar("call", default=None)


def enter(call: CallContext) -> None:
    """Make `call` the current one until the task ends. Use it in a task that serves only this call."""
    _current.set(call)


def current_call() -> CallContext:
    """The call being served; outside one, an empty context whose response headers go nowhere."""
    return _current.get() or CallContext()


@contextlib.contextmanager
def serving(call: CallContext) -> Iterator[CallContext]:
    """Make `call` the current one for this task and the tasks it starts."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def remaining_seconds() -> float | None:
    """Seconds until the current call's deadline (may be negative), None without one."""
    call = _current.get()
    if call is None or call.deadline is None:
        return None
    return call.deadline - time.monotonic()


# Answers that were stored before under the call's idempotency key carry this.
REPLAYED_HEADER = "x-idempotency-replayed"


def set_response_header(key: str, value: str) -> None:
    """Tell the caller something beside the answer; keys are lower case, as gRPC metadata wants them."""
    current_call().response_headers[key] = value

"""The call being served: who acts, until when, under which request id and idempotency key.

Context variables of the task that serves a call, set by libs.rpc.server, by the gateway's middleware and by workers;
read by servicers, libs.postgres (deadline, idempotency) and libs.rpc.channel (what goes on to the next hop).
Knows no grpc, so everything may import it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.principal import GATEWAY, ROLE_SERVICE, Principal


@dataclass(slots=True)
class CallContext:
    """`deadline` is on the monotonic clock, None for work without one. `response_headers` go back to the caller."""

    request_id: str = ""
    deadline: float | None = None
    idempotency_key: str = ""
    idempotency_fingerprint: str = ""
    traceparent: str = ""
    min_version: int = 0
    response_headers: dict[str, str] = field(default_factory=dict)


_NO_CALL = CallContext()
_call: ContextVar[CallContext] = ContextVar("call")
_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_acting: ContextVar[Principal | None] = ContextVar("acting", default=None)


def current_call() -> CallContext:
    """The call that this task serves; one without id, key and deadline when it serves none."""
    return _call.get(_NO_CALL)


def current_principal() -> Principal:
    """Who acts in this call; Unauthenticated when nobody was named."""
    principal = _principal.get()
    if principal is None:
        raise Unauthenticated("principal_required", "Call through the gateway, or with a service principal.")
    return principal


def inbound_principal() -> Principal | None:
    """Who acts in this call, or None outside one."""
    return _principal.get()


def remaining_seconds(default: float | None = None) -> float | None:
    """Seconds until this call's deadline (never below 0), or the default when it has none."""
    deadline = _call.get(_NO_CALL).deadline
    return default if deadline is None else max(0.0, deadline - time.monotonic())


def require_scope(scope: str) -> Principal:
    """The principal, if it holds the scope such as "agents:write"; PermissionDenied otherwise."""
    principal = current_principal()
    if not principal.has_scope(scope):
        raise PermissionDenied("missing_scope", f"This needs the scope {scope}.", metadata={"scope": scope})
    return principal


def require_service() -> Principal:
    """The principal, if it is a service or the gateway itself acting for nobody; PermissionDenied otherwise."""
    principal = current_principal()
    if principal.role != ROLE_SERVICE and not (principal.role == GATEWAY and principal.issuer == GATEWAY):
        raise PermissionDenied("service_only", "Only services of the suite may call this.")
    return principal


def set_response_header(key: str, value: str) -> None:
    """Send a lowercase x-… header back to the caller beside the answer (gRPC trailing metadata)."""
    call = _call.get(None)
    if call is not None:
        call.response_headers[key] = value


def enter_call(call: CallContext, principal: Principal | None) -> None:
    """Make this the call of the current task, for good: the task was made for it."""
    _call.set(call)
    _principal.set(principal)


@contextmanager
def serving(call: CallContext, principal: Principal | None = None) -> Iterator[CallContext]:
    """Everything inside belongs to this call: the gateway's requests, a worker's jobs, tests."""
    call_token, principal_token = _call.set(call), _principal.set(principal)
    try:
        yield call
    finally:
        _call.reset(call_token)
        _principal.reset(principal_token)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Outgoing calls inside carry this principal instead of the inbound one."""
    token = _acting.set(principal)
    try:
        yield
    finally:
        _acting.reset(token)


def acting_principal() -> Principal | None:
    """Whom outgoing calls shall carry, if that was said."""
    return _acting.get()

"""Who acts in the call being served, and whom outgoing calls speak for. What the call itself carries is libs.context.

Set by libs.rpc.server, by the gateway's middleware and by workers; read by servicers and by libs.rpc.channel. Knows no
grpc, so that the gateway's middleware and workers may import it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from libs import context
from libs.context import CallContext, current_call, remaining_seconds, set_response_header
from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.principal import GATEWAY, ROLE_SERVICE, Principal

__all__ = [
    "CallContext",
    "acting_as",
    "acting_principal",
    "current_call",
    "current_principal",
    "enter_call",
    "inbound_principal",
    "own_response_headers",
    "remaining_seconds",
    "require_scope",
    "require_service",
    "response_headers",
    "serving",
    "set_response_header",
]

_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_acting: ContextVar[Principal | None] = ContextVar("acting", default=None)


def current_principal() -> Principal:
    """The principal of this call; Unauthenticated when there is none."""
    principal = _principal.get()
    if principal is None:
        raise Unauthenticated("principal_required", "Call through the gateway, or with a service principal.")
    return principal


def inbound_principal() -> Principal | None:
    """Who acts in this call, or None outside one."""
    return _principal.get()


def require_scope(scope: str) -> Principal:
    """The principal, if it holds the scope such as "agents:write"; PermissionDenied otherwise."""
    principal = current_principal()
    if not principal.has_scope(scope):
        raise PermissionDenied("missing_scope", f"This needs the scope {scope}.", metadata={"scope": scope})
    return principal


def require_service() -> Principal:
    """The principal, if it is a service or the gateway acting for itself; PermissionDenied otherwise."""
    principal = current_principal()
    if principal.role != ROLE_SERVICE and not (principal.role == GATEWAY and principal.issuer == GATEWAY):
        raise PermissionDenied("service_only", "Only services of the suite may call this.")
    return principal


def enter_call(call: CallContext, principal: Principal | None) -> None:
    """Make this the call of the current task until the task ends."""
    context.enter(call)
    _principal.set(principal)


@contextmanager
def serving(call: CallContext, principal: Principal | None = None) -> Iterator[CallContext]:
    """Everything inside belongs to this call: the gateway's requests, a worker's jobs, tests."""
    token, headers = _principal.set(principal), _response_headers.set({})
    try:
        with context.serving(call):
            yield call
    finally:
        _response_headers.reset(headers)
        _principal.reset(token)


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


_response_headers: ContextVar[dict[str, str] | None] = ContextVar("response_headers", default=None)


def response_headers() -> dict[str, str]:
    """The x-… headers that came back with the answers to this call so far; of one name the latest."""
    return _response_headers.get() or {}


@contextmanager
def own_response_headers() -> Iterator[dict[str, str]]:
    """The headers of the calls inside, kept apart from those of the request's other calls."""
    headers: dict[str, str] = {}
    token = _response_headers.set(headers)
    try:
        yield headers
    finally:
        _response_headers.reset(token)


def remember_response_headers(headers: dict[str, str]) -> None:
    """Called by libs.rpc.channel after each call. Tasks that a call starts share its headers, so that a request which
    asks several services hears of all their answers."""
    known = _response_headers.get()
    if known is None:
        _response_headers.set(headers)
    else:
        known.update(headers)

"""One inbound call: what its metadata say, who may come in, and how it ends."""

import dataclasses
import functools
import logging
import time
from collections.abc import Mapping
from typing import Any

import grpc
from prometheus_client import Histogram

from libs.context import JOB_PREFIX
from libs.errors import OVERLOADED, AppError, DeadlineExceeded, PermissionDenied, Unauthenticated, Unavailable
from libs.rpc.audit import AUDIT_HEADER, read_audit_header
from libs.rpc.callers import MethodAccess
from libs.rpc.context import CallContext, enter_call
from libs.rpc.errors import DETAILS_KEY, error_from_exception, status_code, status_details
from libs.rpc.principal import GATEWAY, ROLE_GATEWAY, Principal, PrincipalVerifier
from libs.telemetry.metrics import RPC_SERVER_RUNNING, RPC_SERVER_SECONDS, RPC_SERVER_SHED

_log = logging.getLogger(__name__)

# Seconds for a call whose caller named no deadline.
DEFAULT_SECONDS = 30.0


class Gate:
    """Lets a call in with its principal, or refuses it."""

    def __init__(self, verifier: PrincipalVerifier, audience: str, access: Mapping[str, MethodAccess]) -> None:
        self._verifier = verifier
        self._audience = audience
        self._access = access

    def enter(self, call: "Call") -> None:
        """Make the call and its principal those of the current task. A call whose time has passed while it waited is
        not begun."""
        if call.context.deadline is not None and call.context.deadline <= time.monotonic():
            raise DeadlineExceeded("deadline_exceeded", "The time for this call ran out before it began.")
        enter_call(call.context, None)
        enter_call(call.context, self._admit(call))

    def _admit(self, call: "Call") -> Principal:
        scheme, _, token = call.authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise Unauthenticated("principal_required", "Call through the gateway, or with a service principal.")
        principal = self._verifier.verify(token, self._audience)
        access = self._access[call.method]
        if principal.issuer not in access.callers:
            raise PermissionDenied("caller_not_allowed", "This process may not call this method.")
        if principal.role == ROLE_GATEWAY and not access.before_login:
            raise PermissionDenied("login_required", "Log in, or send an API key.")
        if principal.grants is not None and not access.honors_grants:
            raise PermissionDenied("limited_access", "Your access is limited to some agents, and this reaches beyond.")
        if principal.issuer != GATEWAY:
            return self._acting_for(principal, call)
        if principal.org_id:
            call.context.on_behalf_of = token
        call.context.audited = read_audit_header(call.audit)
        return principal

    def _acting_for(self, principal: Principal, call: "Call") -> Principal:
        """The service's principal with the organization of the user's request that it serves, if it shows one."""
        if call.on_behalf_of.startswith(JOB_PREFIX):
            call.context.caller_job = call.on_behalf_of.removeprefix(JOB_PREFIX)
        elif call.on_behalf_of:
            user = self._verifier.verify(call.on_behalf_of, audience=principal.issuer)
            if user.issuer != GATEWAY:
                raise Unauthenticated("invalid_principal", "Pass on the principal of the request that you serve.")
            return dataclasses.replace(principal, org_id=user.org_id)
        return principal


class Places:
    """At most `most` calls at a time. Raises Unavailable for one more, at once: its caller knows what to do instead of
    waiting, and what waits here would be late in the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        RPC_SERVER_RUNNING.set_function(lambda: self._running)

    def enter(self) -> None:
        if self._running >= self._most:
            RPC_SERVER_SHED.inc()
            raise Unavailable(OVERLOADED, "This part has too much to do. Try again.", retry_after=1.0)
        self._running += 1

    def leave(self) -> None:
        self._running -= 1


class Call:
    """One call in flight: its context from the metadata, its clock, its way out."""

    __slots__ = ("_grpc", "_started", "audit", "authorization", "context", "method", "on_behalf_of")

    def __init__(self, method: str, grpc_context: Any) -> None:
        self.method = method
        self._grpc = grpc_context
        self._started = time.monotonic()
        metadata = dict(grpc_context.invocation_metadata())
        seconds = grpc_context.time_remaining()
        self.authorization = str(metadata.get("authorization", ""))
        self.on_behalf_of = str(metadata.get("x-on-behalf-of", ""))
        self.audit = str(metadata.get(AUDIT_HEADER, ""))
        self.context = CallContext(
            request_id=str(metadata.get("x-request-id", "")),
            deadline=self._started + (DEFAULT_SECONDS if seconds is None else seconds),
            idempotency_key=str(metadata.get("x-idempotency-key", "")),
            idempotency_fingerprint=str(metadata.get("x-idempotency-fingerprint", "")),
            traceparent=str(metadata.get("traceparent", "")),
            min_version=_whole_number(metadata.get("x-min-version", "")),
            may_lag="x-may-lag" in metadata,
        )

    def send_headers(self) -> None:
        if self.context.response_headers:
            self._grpc.set_trailing_metadata(tuple(self.context.response_headers.items()))

    async def fail(self, error: Exception) -> None:
        """End the call with the status for this error; always raises."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        known = told_error(self.method, error)
        self.observe(known.code.name)
        trailing = ((DETAILS_KEY, status_details(known)), *self.context.response_headers.items())
        await self._grpc.abort(status_code(known), known.detail[:1000], trailing)

    def observe(self, code: str) -> None:
        _seconds(self.method, code).observe(time.monotonic() - self._started)


def told_error(what: str, error: Exception) -> AppError:
    """What the caller learns of an error. One that is no AppError is logged as that of `what`, a method."""
    known = error_from_exception(error)
    if not isinstance(error, AppError):
        _log.error("%s failed", what, exc_info=error, extra={"reason": known.reason})
    return known


@functools.cache
def _seconds(method: str, code: str) -> Histogram:
    """Looking a labelled histogram up costs twice as much as using it."""
    return RPC_SERVER_SECONDS.labels(method, code)


def _whole_number(text: str | bytes) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 19 else 0

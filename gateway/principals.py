"""Asks identity for the principal of a credential, and keeps the result for less than a second."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.clients import Clients
from libs.cache import Memory
from libs.cache.classes import SESSION
from libs.clock import utcnow
from libs.errors import PermissionDenied, Unauthenticated, Unavailable
from libs.rpc.context import CallContext, acting_as, serving
from libs.rpc.principal import GATEWAY, ROLE_GATEWAY, Grants, Principal
from suite import roles
from suite.credentials import API_KEY_PREFIX, is_session_token, key_prefix

# Seconds that identity may take. Authenticate is one indexed statement, so the limit is only met in an outage.
_SECONDS = 2.0
_GATEWAY = Principal(role=ROLE_GATEWAY, issuer=GATEWAY)
_ROLES = {pb.ROLE_OWNER: "owner", pb.ROLE_ADMIN: "admin", pb.ROLE_MEMBER: "member", pb.ROLE_VIEWER: "viewer"}
# Roles that no grant limits.
_UNLIMITED = frozenset((pb.ROLE_OWNER, pb.ROLE_ADMIN))

# As long as any cache may: the clock starts before the look-up.
REMEMBER_SECONDS = SESSION.bound_seconds
# Credentials in memory. More active callers than this cause more look-ups; each entry costs memory.
_REMEMBERED = 10_000
# Addresses in memory whose limit of refused credentials is spent. More of them at once make Redis be asked again.
_SPENT_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Credential:
    """The caller's credential: its kind (bearer, api_key, cookie) and its secret; `organization_id` is the customer of
    its organization in which it wants to act, empty for its own organization."""

    kind: str
    secret: str
    organization_id: str = ""

    @property
    def is_api_key(self) -> bool:
        return self.kind == "api_key" or self.secret.startswith(API_KEY_PREFIX)

    @property
    def is_well_formed(self) -> bool:
        """Identity knows no other ones."""
        return key_prefix(self.secret) is not None if self.is_api_key else is_session_token(self.secret)


@dataclass(frozen=True, slots=True)
class Found:
    """A principal, the seconds until its session or key ends, and whether gateways may share it: identity has the same
    table of roles and tells the caches when the principal changes."""

    principal: Principal
    lives_seconds: float
    is_shared: bool


_NO_PLACE = nullcontext()
Refusal = Unauthenticated | PermissionDenied
Lookup = Callable[[Credential], Awaitable[tuple[Principal, float]]]


class Principals:
    """The principals of recent credentials. Concurrent requests share one look-up. Refusals are kept too, so that
    guessing does not load identity."""

    def __init__(
        self, lookup: Lookup, forgotten: Callable[[str], None] | None = None, unshared: Lookup | None = None
    ) -> None:
        """`forgotten` hears what `forget` does; `unshared` is the lookup for callers that may not load Redis."""
        self._lookup = lookup
        self._unshared = unshared or lookup
        self._spent: Memory[str, bool] = Memory("principals_spent", max_entries=_SPENT_ADDRESSES)
        self._forgotten = forgotten
        self._known: Memory[Credential, Principal] = Memory("principals", max_entries=_REMEMBERED)
        # Apart, so that invented credentials forget no one's.
        self._refused: Memory[Credential, Refusal] = Memory("principals_refused", max_entries=_REMEMBERED)
        self._waiting: dict[Credential, asyncio.Task[Principal]] = {}
        self.hits = 0
        self.misses = 0

    def peek(self, credential: Credential) -> Principal | None:
        """The principal that is known here, counted as a hit; None when identity must be asked, or has refused."""
        known = self._known.peek(credential)
        if known is not None:
            self.hits += 1
        return known

    async def find(
        self, credential: Credential, place: AbstractContextManager[None] = _NO_PLACE, address: str = ""
    ) -> Principal:
        """The principal; `place` is held while identity is asked for a caller at `address`. Raises Unauthenticated for
        a credential that is wrong, expired or revoked, PermissionDenied for an organization in which it may not
        act."""
        known = self._known.get(credential)
        if known is not None:
            self.hits += 1
            return known
        refusal = self._refused.get(credential)
        if refusal is not None:
            self.hits += 1
            raise type(refusal)(refusal.reason, refusal.detail)
        self.misses += 1
        task = self._waiting.get(credential)
        if task is not None:
            return await asyncio.shield(task)
        task = self._waiting[credential] = asyncio.create_task(self._load(credential, place, address))
        task.add_done_callback(lambda done: self._done(credential, done))
        return await asyncio.shield(task)

    def forget(self, changed_id: str) -> None:
        """Drop the principals of a revoked session or API key or of a changed user, so that the next request asks
        identity."""
        if self._forgotten is not None:
            self._forgotten(changed_id)
        self._known.pop_where(lambda _, found: changed_id in (found.session_id, found.api_key_id, found.user_id))

    def spent(self, address: str, seconds: float) -> None:
        """The address has sent too many wrong credentials: for so long its next ones do not reach Redis."""
        self._spent.put(address, True, seconds)

    async def _load(self, credential: Credential, place: AbstractContextManager[None], address: str) -> Principal:
        """The question outlives a waiter that is cancelled, and so does its place."""
        begun = time.monotonic()
        lookup = self._unshared if self._spent.peek(address) else self._lookup
        try:
            with place:
                principal, lives_seconds = await lookup(credential)
        except (Unauthenticated, PermissionDenied) as refusal:
            self._refused.put(credential, refusal, begun + REMEMBER_SECONDS - time.monotonic())
            raise
        until = begun + min(REMEMBER_SECONDS, lives_seconds)
        self._known.put(credential, principal, until - time.monotonic())
        return principal

    def _done(self, credential: Credential, task: "asyncio.Task[Principal]") -> None:
        del self._waiting[credential]
        if not task.cancelled():
            task.exception()  # retrieved here, because asyncio logs an exception that no waiter retrieves


def identity_lookup(clients: Clients) -> Callable[[Credential], Awaitable[Found]]:
    """Ask identity.Authenticate, which changes nothing."""

    async def lookup(credential: Credential) -> Found:
        if credential.is_api_key:
            request = pb.AuthenticateRequest(api_key=credential.secret)
        else:
            request = pb.AuthenticateRequest(session_token=credential.secret)
        request.organization_id, request.obeys_grants = credential.organization_id, True
        context = CallContext(deadline=time.monotonic() + _SECONDS, repeatable=True)
        with serving(context), acting_as(_GATEWAY):
            answer = await clients.identity.Authenticate(request)
        if credential.organization_id not in ("", answer.organization_id):
            # An identity of the release before ignores the field: it would act in the caller's own organization.
            raise PermissionDenied("organization_not_accessible", "You may not act in this organization, if it exists.")
        if not answer.states_grants and answer.role not in _UNLIMITED:
            # An identity of the release before does not know grants: its silence is no permission to reach everything.
            raise Unavailable("rights_unknown", "What you may reach is not known at this moment. Try again.")
        is_shared = answer.changes_are_told and answer.roles_fingerprint == roles.FINGERPRINT
        return Found(_principal(answer), _seconds_left(answer), is_shared)

    return lookup


def _principal(answer: pb.AuthenticateResponse) -> Principal:
    return Principal(
        org_id=answer.organization_id,
        user_id=answer.user_id,
        session_id=answer.session_id,
        api_key_id=answer.api_key_id,
        role=_ROLES.get(answer.role, ""),
        scopes=frozenset(answer.scopes),
        issuer=GATEWAY,
        allowed_addresses=tuple(answer.allowed_addresses),
        expires_at=answer.expire_time.seconds if answer.HasField("expire_time") else 0,
        home_org_id=answer.home_organization_id,
        # An identity of the release before does not tell it.
        limit_percent=answer.limit_percent or 100,
        grants=Grants(frozenset(answer.readable_ids), frozenset(answer.writable_ids)) if answer.has_grants else None,
    )


def _seconds_left(answer: pb.AuthenticateResponse, now: Callable[[], float] = lambda: utcnow().timestamp()) -> float:
    if not answer.HasField("expire_time"):
        return math.inf
    return answer.expire_time.seconds + answer.expire_time.nanos / 1e9 - now()

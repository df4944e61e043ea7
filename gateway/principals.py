"""How the gateway asks identity who a credential belongs to. The answer becomes the principal that services see."""

import math
import time
from collections.abc import Callable

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.clients import Clients
from gateway.middleware.authentication import Credential, Lookup
from libs.clock import utcnow
from libs.rpc.context import CallContext, acting_as, serving
from libs.rpc.principal import GATEWAY, ROLE_GATEWAY, Principal

_SECONDS = 2.0
_GATEWAY = Principal(role=ROLE_GATEWAY, issuer=GATEWAY)
_ROLES = {pb.ROLE_OWNER: "owner", pb.ROLE_ADMIN: "admin", pb.ROLE_MEMBER: "member", pb.ROLE_VIEWER: "viewer"}


def identity_lookup(clients: Clients) -> Lookup:
    """Ask identity.Authenticate, which changes nothing."""

    async def lookup(credential: Credential) -> tuple[Principal, float]:
        if credential.is_api_key:
            request = pb.AuthenticateRequest(api_key=credential.secret)
        else:
            request = pb.AuthenticateRequest(session_token=credential.secret)
        context = CallContext(deadline=time.monotonic() + _SECONDS, repeatable=True)
        with serving(context), acting_as(_GATEWAY):
            answer = await clients.identity.Authenticate(request)
        return _principal(answer), _seconds_left(answer)

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
    )


def _seconds_left(answer: pb.AuthenticateResponse, now: Callable[[], float] = lambda: utcnow().timestamp()) -> float:
    if not answer.HasField("expire_time"):
        return math.inf
    return answer.expire_time.seconds + answer.expire_time.nanos / 1e9 - now()

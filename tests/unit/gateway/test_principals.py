import asyncio
import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.principals import REMEMBER_SECONDS, Credential, Principals, identity_lookup
from libs.errors import PermissionDenied, Unauthenticated, Unavailable
from libs.rpc.principal import Principal
from suite.roles import FINGERPRINT

KEY = Credential("bearer", "esx_test_abc")
PERSON = Principal(org_id="org_1", session_id="ses_1")


async def older_identity(request: pb.AuthenticateRequest) -> pb.AuthenticateResponse:
    """A release that does not know `organization_id`: it answers the caller's own organization."""
    return pb.AuthenticateResponse(
        organization_id="org_agency", user_id="usr_1", session_id="ses_1", role=pb.ROLE_OWNER
    )


async def test_a_customer_that_identity_does_not_know_of_is_never_the_agency() -> None:
    lookup = identity_lookup(SimpleNamespace(identity=SimpleNamespace(Authenticate=older_identity)))  # type: ignore[arg-type]
    assert (await lookup(KEY)).principal.org_id == "org_agency"
    with pytest.raises(PermissionDenied, match="organization_not_accessible"):
        await lookup(replace(KEY, organization_id="org_customer"))


@pytest.mark.parametrize("kind", ["session_id", "api_key_id"])
@pytest.mark.parametrize("role", [pb.ROLE_MEMBER, pb.ROLE_VIEWER, pb.ROLE_UNSPECIFIED])
async def test_an_identity_that_does_not_know_grants_opens_nothing_to_roles_that_they_limit(
    role: pb.Role, kind: str
) -> None:
    told = pb.AuthenticateResponse(organization_id="org_1", user_id="usr_1", role=role, **{kind: "x"})  # type: ignore[arg-type]

    async def answer(request: pb.AuthenticateRequest) -> pb.AuthenticateResponse:
        return told

    lookup = identity_lookup(SimpleNamespace(identity=SimpleNamespace(Authenticate=answer)))  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="rights_unknown"):
        await lookup(KEY)
    told.states_grants = True
    assert (await lookup(KEY)).principal.grants is None
    told.has_grants = True
    assert (await lookup(KEY)).principal.readable_ids == []
    told.states_grants, told.has_grants, told.role = False, False, pb.ROLE_ADMIN
    assert (await lookup(KEY)).principal.grants is None


async def test_gateways_share_what_an_identity_with_the_same_roles_gave_and_vouches_for() -> None:
    told = pb.AuthenticateResponse(organization_id="org_1", user_id="usr_1", role=pb.ROLE_OWNER)

    async def answer(request: pb.AuthenticateRequest) -> pb.AuthenticateResponse:
        return told

    lookup = identity_lookup(SimpleNamespace(identity=SimpleNamespace(Authenticate=answer)))  # type: ignore[arg-type]
    shared = []
    for told.changes_are_told, told.roles_fingerprint in (
        (True, FINGERPRINT), (False, FINGERPRINT), (True, ""), (True, "another release's")
    ):  # fmt: skip
        shared.append((await lookup(KEY)).is_shared)
    assert shared == [True, False, False, False]


class Identity:
    """Answers what it is told to, and counts."""

    def __init__(self, answer: Principal | Exception = PERSON, lives: float = math.inf) -> None:
        self.answer = answer
        self.lives = lives
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, credential: Credential) -> tuple[Principal, float]:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer, self.lives


async def admitted(principals: Principals) -> bool:
    try:
        await principals.find(KEY)
    except Unauthenticated:
        return False
    return True


async def test_a_credential_is_looked_up_once_and_remembered() -> None:
    identity = Identity()
    principals = Principals(identity)
    assert await principals.find(KEY) == await principals.find(KEY) == PERSON
    assert (identity.asked, principals.hits, principals.misses) == (1, 1, 1)


async def test_those_who_come_together_share_one_look_up() -> None:
    identity = Identity()
    identity.gate.clear()
    principals = Principals(identity)
    waiting = [asyncio.create_task(principals.find(KEY)) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    identity.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert identity.asked == 1
    assert found[1:] == [PERSON] * 49


async def test_a_revoked_credential_stops_within_a_second() -> None:
    identity = Identity()
    principals = Principals(identity)
    await principals.find(KEY)
    revoked = time.monotonic()
    identity.answer = Unauthenticated("invalid_credentials", "…")
    while await admitted(principals) and time.monotonic() < revoked + 10:
        await asyncio.sleep(0.01)
    assert not await admitted(principals)
    assert REMEMBER_SECONDS < 1.0


async def test_a_refusal_is_remembered_too() -> None:
    identity = Identity(Unauthenticated("invalid_credentials", "…"))
    principals = Principals(identity)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await principals.find(KEY)
    assert identity.asked == 1


async def test_invented_credentials_forget_none_that_was_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.principals.REMEMBER_SECONDS", 60.0)
    monkeypatch.setattr("gateway.principals._REMEMBERED", 16)
    identity = Identity()
    principals = Principals(identity)
    await principals.find(KEY)
    identity.answer = Unauthenticated("invalid_credentials", "…")
    for number in range(17):
        with pytest.raises(Unauthenticated):
            await principals.find(Credential("bearer", f"invented_{number}"))
    assert await principals.find(KEY) == PERSON
    assert identity.asked == 18


async def test_an_outage_is_not_remembered() -> None:
    identity = Identity(Unavailable("service_unavailable", "…"))
    principals = Principals(identity)
    with pytest.raises(Unavailable):
        await principals.find(KEY)
    identity.answer = PERSON
    assert await principals.find(KEY) == PERSON


async def test_nothing_is_remembered_past_its_own_end() -> None:
    identity = Identity(lives=0.05)
    principals = Principals(identity)
    await principals.find(KEY)
    await asyncio.sleep(0.06)
    await principals.find(KEY)
    assert identity.asked == 2


async def test_what_is_revoked_here_is_forgotten_at_once() -> None:
    identity = Identity()
    principals = Principals(identity)
    await principals.find(KEY)
    principals.forget("ses_other")
    await principals.find(KEY)
    principals.forget("ses_1")
    await principals.find(KEY)
    assert identity.asked == 2


async def test_the_place_of_a_question_is_left_when_identity_has_answered_not_when_its_waiter_is_cancelled() -> None:
    identity, held = Identity(), set[object]()
    identity.gate.clear()

    @contextlib.contextmanager
    def place() -> Iterator[None]:
        held.add(asyncio.current_task())
        yield
        held.clear()

    waiting = asyncio.create_task(Principals(identity).find(KEY, place()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held
    assert waiting not in held
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert held
    identity.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not held

import asyncio
import math
import time

import pytest

from gateway.middleware.authentication import read_credential
from gateway.principals import REMEMBER_SECONDS, Credential, Principals
from libs.errors import Unauthenticated, Unavailable
from libs.rpc.principal import Principal
from tests.unit.gateway.requests import make_request

KEY = Credential("bearer", "esx_test_abc")
PERSON = Principal(org_id="org_1", session_id="ses_1")


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
    while await admitted(principals) and time.monotonic() < revoked + 2:
        await asyncio.sleep(0.01)
    assert time.monotonic() - revoked < 1.0
    assert REMEMBER_SECONDS < 1.0


async def test_a_refusal_is_remembered_too() -> None:
    identity = Identity(Unauthenticated("invalid_credentials", "…"))
    principals = Principals(identity)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await principals.find(KEY)
    assert identity.asked == 1


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


def credential(**headers: bytes) -> Credential:
    request = make_request({name: value.decode("latin-1") for name, value in headers.items()})
    return read_credential(request, "echosenseix_session")


def test_authorization_comes_before_the_key_and_the_key_before_the_cookie() -> None:
    cookie = b"theme=dark; echosenseix_session=tok"
    assert credential(cookie=cookie) == Credential("cookie", "tok")
    assert credential(cookie=cookie, x_api_key=b"esx_1") == Credential("api_key", "esx_1")
    assert credential(cookie=cookie, x_api_key=b"esx_1", authorization=b"bearer abc") == Credential("bearer", "abc")


def test_keys_are_told_from_tokens_by_their_prefix() -> None:
    assert credential(authorization=b"Bearer esx_test_1_2").is_api_key
    assert credential(x_api_key=b"whatever").is_api_key
    assert not credential(authorization=b"Bearer abc").is_api_key


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (b"Basic dXNlcg==", "unauthenticated"),
        (b"Bearer", "invalid_credential"),
        (b"Bearer ", "invalid_credential"),
        (b"Bearer \xff\xfe", "invalid_credential"),
        (b"Bearer a\x01b", "invalid_credential"),
        (b"Bearer " + b"x" * 600, "invalid_credential"),
        (b"", "unauthenticated"),
    ],
)
def test_a_credential_that_can_be_none_is_refused_unasked(authorization: bytes, reason: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        credential(authorization=authorization)
    assert caught.value.reason == reason


def test_a_wrong_authorization_is_not_mended_by_a_cookie() -> None:
    with pytest.raises(Unauthenticated):
        credential(authorization=b"Basic x", cookie=b"echosenseix_session=tok")

"""Three gateways before one Valkey: a limit holds over all of them, per caller, and becomes smaller without Valkey."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from gateway.app import build_app
from gateway.clients import SuiteStatus, open_clients
from gateway.config import GatewaySettings
from gateway.http.idempotency import Fingerprints
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import RecentRequests
from gateway.principals import Credential, Principals
from gateway.state import Gateway
from libs.cache.client import RedisClient
from libs.errors import Unauthenticated
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.ratelimit import RateLimiter
from libs.rpc.principal import Principal, PrincipalMinter
from local.stores import Stores
from suite.services import SERVICES

# A path that needs a credential and no service.
MISSING = "/api/missing"


async def lookup(credential: Credential) -> tuple[Principal, float]:
    """A token reads organization.user."""
    organization, _, user = credential.secret.partition(".")
    if not user:
        raise Unauthenticated("invalid_credentials", "Log in again, or send a valid API key.")
    return Principal(org_id=organization, user_id=credential.secret, session_id="ses_1", issuer="gateway"), 60.0


@pytest_asyncio.fixture
async def gateways(stores: Stores) -> AsyncIterator[list[httpx.AsyncClient]]:
    settings = GatewaySettings(
        principal_signing_key="gateway=" + "A" * 43 + "=", peers=dict.fromkeys(SERVICES, "127.0.0.1:9"), instances=3
    )
    clients = open_clients(settings, PrincipalMinter(settings.principal_signing_key))
    opened, limiters = [], []
    for _ in range(3):
        # A slow answer of Redis is waited for: a gateway that gives up counts alone, and then more pass.
        limiters.append(RateLimiter(RedisClient(stores.redis_url, seconds=2.0), owned=True))
        gateway = Gateway(
            settings=settings,
            clients=clients,
            principals=Principals(lookup),
            recent=RecentRequests(),
            status=SuiteStatus(clients.status),
            cursors=CursorCodec(b"k" * 32),
            fingerprints=Fingerprints(b"f" * 32),
            links=SignedLinks(b"l" * 32, settings.public_url),
            limiter=limiters[-1],
        )
        transport = httpx.ASGITransport(build_app(gateway))
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
    yield opened
    for http in opened:
        await http.aclose()
    for limiter in limiters:
        await limiter.close()
    await clients.close()


async def statuses(gateways: list[httpx.AsyncClient], asked: int, user: str) -> Counter[int]:
    """What `asked` requests of a user get, spread over the gateways. A test's requests must fit one window of 60 s,
    of which they take a few: what leaves the window makes room for more."""
    headers = {"authorization": f"Bearer {user}"}
    found: Counter[int] = Counter()
    for start in range(0, asked, 60):
        wave = range(start, min(start + 60, asked))
        answers = await asyncio.gather(*(gateways[n % 3].get(MISSING, headers=headers) for n in wave))
        found.update(answer.status_code for answer in answers)
    return found


async def test_three_gateways_share_the_limit_of_a_user_and_others_keep_theirs(
    gateways: list[httpx.AsyncClient],
) -> None:
    organization = new_id("org")
    assert await statuses(gateways, 620, f"{organization}.a") == {404: 500, 429: 120}
    assert await statuses(gateways, 60, f"{organization}.b") == {404: 60}


async def test_an_organization_has_a_limit_over_all_its_users(gateways: list[httpx.AsyncClient]) -> None:
    organization = new_id("org")
    found: Counter[int] = Counter()
    for user in range(11):
        found += await statuses(gateways, 480, f"{organization}.{user}")
    assert found == {404: 5_000, 429: 280}


async def test_the_answers_tell_the_policy_what_is_left_and_how_long_to_wait(
    gateways: list[httpx.AsyncClient],
) -> None:
    user = f"{new_id('org')}.a"
    headers = {"authorization": f"Bearer {user}"}
    first = await gateways[0].get(MISSING, headers=headers)
    assert first.headers["ratelimit-policy"] == '"read-user";q=500;w=60, "read-organization";q=5000;w=60'
    assert first.headers["ratelimit"].startswith('"read-user";r=499;t=60, "read-organization";r=4999;t=6')
    await statuses(gateways, 520, user)
    refused = await gateways[2].get(MISSING, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["ratelimit"].startswith('"read-user";r=0;t=')
    assert 1 <= int(refused.headers["retry-after"]) <= 60


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that principals hear of."""
    heard: list[str] = []
    monkeypatch.setattr(Principals, "spent", lambda _, address, seconds: heard.append(address))
    return heard


async def test_wrong_credentials_of_one_address_are_counted(
    spent: list[str], gateways: list[httpx.AsyncClient]
) -> None:
    found: Counter[int] = Counter()
    for n in range(520):
        answer = await gateways[n % 3].get(MISSING, headers={"authorization": f"Bearer wrong{n}"})
        found[answer.status_code] += 1
    assert found == {401: 500, 429: 20}
    assert spent == ["127.0.0.1"] * 20


@pytest.mark.parametrize(("path", "share"), [(MISSING, 166), ("/api/api-keys", 3)])
async def test_without_redis_each_gateway_allows_its_share_and_little_of_what_is_sensitive(
    gateways: list[httpx.AsyncClient], stores: Stores, path: str, share: int
) -> None:
    headers = {"authorization": f"Bearer {new_id('org')}.a"}
    stores.redis.pause()
    try:
        method = "GET" if path == MISSING else "POST"
        answers = [await gateways[0].request(method, path, headers=headers) for _ in range(share + 5)]
    finally:
        stores.redis.resume()
    assert [answer.status_code == 429 for answer in answers] == [False] * share + [True] * 5

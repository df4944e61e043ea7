"""Principals in Redis: one look-up for all gateways, ended by what identity tells, never made by who can write there.

Two gateways are two sets of caches on one Redis; identity is a function that counts.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields, replace
from hashlib import sha256

import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from gateway import shared_principals
from gateway.principals import Credential, Found, Principals
from gateway.shared_principals import SharedPrincipals
from libs.cache.classes import SESSION
from libs.cache.client import RedisClient
from libs.cache.process import Caches
from libs.cache.spec import replaced_by
from libs.cache.store import RedisStore, service_tag
from libs.crypto import random_token
from libs.errors import Unauthenticated
from libs.ids import new_id
from libs.keys import MacKeys
from libs.rpc.principal import Grants, Principal
from local.stores import Stores
from suite.credentials import write_key, write_prefix
from suite.roles import ROLE_SCOPES, fingerprint

KEYS = MacKeys([b"k" * 32])


@dataclass
class Identity:
    principal: Principal
    lives: float = 3_600.0
    is_shared: bool = True
    asked: int = 0
    refuses: bool = False

    async def __call__(self, credential: Credential) -> Found:
        self.asked += 1
        if self.refuses:
            raise Unauthenticated("invalid_credentials", "Log in again.")
        return Found(self.principal, self.lives, self.is_shared)


@dataclass
class Scene:
    store: RedisStore
    redis: Redis
    url: str
    opened: list[Caches]
    beating: asyncio.Task[None]

    def gateway(
        self, identity: Identity, keys: MacKeys = KEYS, now: Callable[[], float] = time.time
    ) -> SharedPrincipals:
        caches = Caches(self.url)
        self.opened.append(caches)
        return SharedPrincipals(identity, caches, SESSION, keys, now)

    async def tell(self, secret: str) -> None:
        """What the relay makes of a row of the triggers; the gateways so far hear of it."""
        tags = replaced_by("credential.changed", "", sha256(secret.encode()).hexdigest())
        await self.store.invalidate(new_id("chg"), tags)
        for caches in self.opened:
            caches.on_message("", "\n".join(tags).encode())

    async def key_of(self, secret: str) -> str:
        [found] = await self.redis.keys(f"cache:v:session:*{sha256(secret.encode()).hexdigest()}")
        return found.decode() if isinstance(found, bytes) else found


async def beat(store: RedisStore, begun: asyncio.Event) -> None:
    """What identity's relay does: however slow a test is, the heartbeat is young."""
    while True:
        await store.beat("identity", *await store.begin("identity"))
        begun.set()
        await asyncio.sleep(0.2)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(stores: Stores) -> AsyncIterator[Scene]:
    client = RedisClient(stores.redis_url, seconds=5.0)
    async with Redis.from_url(stores.redis_url) as redis:
        store, begun = RedisStore(client), asyncio.Event()
        scene = Scene(store, redis, stores.redis_url, [], asyncio.create_task(beat(store, begun)))
        await begun.wait()
        yield scene
        scene.beating.cancel()
        for caches in scene.opened:
            await caches.close()
    await client.close()


def someone() -> tuple[Credential, Identity]:
    grants = Grants(frozenset({"agt_1"}), frozenset())
    principal = Principal("org_1", "usr_1", new_id("ses"), role="member", scopes=frozenset({"*"}), grants=grants)
    return Credential("bearer", random_token()), Identity(principal)


async def test_what_one_gateway_looked_up_serves_the_other_whole(scene: Scene) -> None:
    credential, identity = someone()
    one, other = scene.gateway(identity), scene.gateway(identity)
    await one(credential)
    principal, lives = await other(credential)
    assert (principal, identity.asked) == (identity.principal, 1)
    assert 0 < lives <= SESSION.bound_seconds


async def test_a_told_change_ends_it_at_every_gateway(scene: Scene) -> None:
    credential, identity = someone()
    await scene.gateway(identity)(credential)
    await scene.tell(credential.secret)
    identity.principal = replace(identity.principal, role="viewer")
    principal, _ = await scene.gateway(identity)(credential)
    assert (principal.role, identity.asked) == ("viewer", 2)


async def test_without_a_heartbeat_of_identity_it_is_looked_up_again_within_the_bound(scene: Scene) -> None:
    credential, identity = someone()
    await scene.gateway(identity)(credential)
    scene.beating.cancel()
    await asyncio.sleep(SESSION.bound_seconds + 0.05)
    await scene.gateway(identity)(credential)
    assert identity.asked == 2


async def test_a_change_through_this_gateway_asks_identity_at_once(scene: Scene) -> None:
    credential, identity = someone()
    gateway = scene.gateway(identity)
    await gateway(credential)
    gateway.forget(identity.principal.session_id)
    await gateway(credential)
    assert identity.asked == 2


async def test_a_value_that_no_gateway_signed_is_no_principal(scene: Scene) -> None:
    credential, identity = someone()
    await scene.gateway(identity)(credential)
    key = await scene.key_of(credential.secret)
    raw = await scene.redis.hget(key, "data")
    assert isinstance(raw, bytes)
    await scene.redis.hset(key, "data", raw.replace(b'"member"', b'"owner"'))
    principal, _ = await scene.gateway(identity)(credential)
    assert (principal.role, identity.asked) == ("member", 2)
    principal, _ = await scene.gateway(identity, MacKeys([b"o" * 32]))(credential)
    assert identity.asked == 3


async def test_a_signed_value_of_another_credential_is_no_principal(scene: Scene) -> None:
    (victim, owner), (thief, member) = someone(), someone()
    await scene.gateway(owner)(victim)
    await scene.gateway(member)(thief)
    stolen = await scene.redis.hget(await scene.key_of(victim.secret), "data")
    await scene.redis.hset(await scene.key_of(thief.secret), "data", stolen)
    principal, _ = await scene.gateway(member)(thief)
    assert principal == member.principal


def later(seconds: float) -> Callable[[], float]:
    """A clock that is ahead."""
    return lambda: time.time() + seconds


async def test_it_ends_with_its_session(scene: Scene) -> None:
    credential, identity = someone()
    identity.lives = 100.0
    await scene.gateway(identity)(credential)
    assert await scene.redis.pttl(await scene.key_of(credential.secret)) <= 100_000
    # The value is still in Redis; only its own end tells that the session has ended.
    for seconds, asked in ((99, 1), (101, 2)):
        await scene.gateway(identity, now=later(seconds))(credential)
        assert identity.asked == asked


async def test_where_changes_are_not_told_each_gateway_remembers_for_itself(scene: Scene) -> None:
    credential, identity = someone()
    identity.is_shared = False
    one, other = (Principals(scene.gateway(identity)) for _ in range(2))
    for _ in range(3):
        assert await one.find(credential) == identity.principal
    assert identity.asked == 1
    await other.find(credential)
    assert identity.asked == 2
    assert not await scene.redis.keys(f"cache:v:session:*{sha256(credential.secret.encode()).hexdigest()}")


async def test_a_release_with_other_roles_reads_no_rights_of_the_one_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential, identity = someone()
    for _ in range(2):
        assert (await scene.gateway(identity)(credential))[0] == identity.principal
    assert identity.asked == 1
    assert shared_principals._format(fingerprint(ROLE_SCOPES)) == shared_principals._FORMAT
    roles = {**ROLE_SCOPES, "viewer": frozenset({"calls:read"})}
    monkeypatch.setattr(shared_principals, "_FORMAT", shared_principals._format(fingerprint(roles)))
    identity.principal = replace(identity.principal, scopes=frozenset({"calls:read"}))
    for _ in range(2):
        assert (await scene.gateway(identity)(credential))[0] == identity.principal
    assert identity.asked == 2


async def test_a_key_without_an_end_is_shared_and_ends_in_redis_with_the_ttl(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    _, identity = someone()
    credential = Credential("api_key", write_key(write_prefix(False, random_token()), random_token()))
    identity.lives = math.inf
    for _ in range(2):
        principal, lives = await scene.gateway(identity)(credential)
        assert (principal, identity.asked) == (identity.principal, 1)
    assert 0 < lives <= SESSION.bound_seconds
    assert 0 < await scene.redis.pttl(await scene.key_of(credential.secret)) < 1_000 * SESSION.ttl_seconds
    assert not caplog.messages


async def test_an_old_value_that_is_put_back_ends_with_the_ttl(scene: Scene) -> None:
    """Who can write to Redis can keep a revoked credential alive no longer."""
    credential, identity = someone()
    identity.lives = math.inf
    await scene.gateway(identity)(credential)
    identity.refuses = True
    late = scene.gateway(identity, now=lambda: time.time() + SESSION.ttl_seconds)
    with pytest.raises(Unauthenticated):
        await late(credential)


async def test_an_old_value_that_is_put_back_is_refused_where_its_change_was_heard(scene: Scene) -> None:
    credential, identity = someone()
    heard = scene.gateway(identity)
    await heard(credential)
    key = await scene.key_of(credential.secret)
    old = await scene.redis.hget(key, "data")
    await scene.tell(credential.secret)
    identity.principal = replace(identity.principal, role="viewer")
    await heard(credential)
    assert await scene.redis.hget(key, "data") != old
    await scene.redis.hset(key, "data", old)
    await asyncio.sleep(SESSION.bound_seconds + 0.1)  # this gateway's memory has ended
    principal, _ = await heard(credential)
    assert (principal.role, identity.asked) == ("viewer", 3)


async def test_an_old_value_is_refused_where_a_change_of_everything_was_heard(scene: Scene) -> None:
    """identity tells of a closed organization so."""
    credential, identity = someone()
    heard = scene.gateway(identity)
    await heard(credential)
    key = await scene.key_of(credential.secret)
    old = await scene.redis.hget(key, "data")
    for caches in scene.opened:
        caches.on_message("", service_tag("identity").encode())
    identity.refuses = True
    await scene.redis.hset(key, "data", old)
    await asyncio.sleep(SESSION.bound_seconds + 0.1)  # this gateway's memory has ended
    with pytest.raises(Unauthenticated):
        await heard(credential)


async def test_a_session_is_looked_up_again_after_a_minute_of_use_whatever_its_ttl(scene: Scene) -> None:
    """identity notes its use then, which lengthens it."""
    credential, identity = someone()
    await scene.gateway(identity)(credential)
    kept = await scene.redis.hmget(await scene.key_of(credential.secret), "as_of", "refresh_at")
    as_of, refresh_at = (int(text or 0) / 1e6 for text in kept)
    assert 0 < refresh_at - as_of < 67.0  # lifetimes vary by a tenth
    assert await scene.redis.pttl(await scene.key_of(credential.secret)) > 1_000 * 1_800


@pytest.mark.parametrize("secret", ["esx_live_0123456789_" + "a" * 38, "short", "a" * 39 + ".", "b" * 65])
async def test_what_no_credential_looks_like_does_not_reach_redis(scene: Scene, secret: str) -> None:
    _, identity = someone()
    identity.refuses = True
    with pytest.raises(Unauthenticated):
        await scene.gateway(identity)(Credential("bearer", secret))
    assert not await scene.redis.keys(f"*{sha256(secret.encode()).hexdigest()}*")


async def test_a_wrong_credential_of_an_address_that_sent_too_many_does_not_reach_redis(scene: Scene) -> None:
    credential, identity = someone()
    identity.refuses = True
    shared = scene.gateway(identity)
    principals = Principals(shared, shared.forget, shared.unshared)
    principals.spent("192.0.2.1", 60.0)
    named = f"*{sha256(credential.secret.encode()).hexdigest()}*"
    with pytest.raises(Unauthenticated):
        await principals.find(credential, address="192.0.2.1")
    assert not await scene.redis.keys(named)
    with pytest.raises(Unauthenticated):
        await Principals(shared).find(credential, address="192.0.2.2")
    assert await scene.redis.keys(named)


async def test_a_value_of_other_fields_is_another_value(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    credential, identity = someone()
    await scene.gateway(identity)(credential)
    monkeypatch.setattr(shared_principals, "_FORMAT", "another")
    await scene.gateway(identity)(credential)
    assert identity.asked == 2


def test_the_format_names_every_field_of_a_principal() -> None:
    described = str(msgspec.json.schema(shared_principals._Kept))
    for kind in (shared_principals._Kept, Principal, Grants):
        assert all(f"'{part.name}'" in described for part in fields(kind))


async def test_the_right_to_act_in_a_customers_organization_is_asked_for_each_time(scene: Scene) -> None:
    credential, identity = someone()
    within = replace(credential, organization_id="org_customer")
    gateway = scene.gateway(identity)
    await gateway(within)
    await gateway(within)
    assert identity.asked == 2

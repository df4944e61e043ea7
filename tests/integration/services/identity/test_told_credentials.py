"""What a principal is made of tells the caches when it changes, by the hash of each credential that it concerns."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from echosenseix.identity.v1 import identity_pb2, members_pb2
from libs.ids import new_id
from libs.postgres import Database
from services.identity.__main__ import MIGRATIONS
from services.identity.storage import authentication

from .conftest import Member, Service, acting

_TOLD = "select key from cache_invalidation where topic = 'credential.changed' and key = any($1::text[])"
_TABLE = re.compile(r"\b(?:from|join) ([a-z_]+) [a-z]\b")


def named(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


async def told(service: Service, *secrets: str) -> set[str]:
    """Those of the secrets that the caches were told of since it was last asked."""
    names = {named(secret): secret for secret in secrets}
    rows = await service.database.system_fetch(_TOLD, list(names))
    await service.database.system_fetch("delete from cache_invalidation where topic = 'credential.changed'")
    return {names[row["key"]] for row in rows}


async def change(service: Service, statement: str, *args: object) -> None:
    async with service.database.system_transaction() as conn:
        await conn.execute(statement, *args)


async def test_every_table_that_a_principal_is_read_from_tells_of_its_changes(service: Service) -> None:
    text = authentication._SESSION + authentication._API_KEY + authentication._FORMER
    read = set(_TABLE.findall(text)) - {"found", "stale", "touched"}
    rows = await service.database.system_fetch(
        "select tgrelid::regclass::text as name from pg_trigger where tgname = 'credentials'"
    )
    assert {row["name"].rpartition(".")[2] for row in rows} == read
    assert {"session", "api_key", "app_user", "organization", "agent_grant", "former_session_token"} == read


async def test_the_use_of_a_credential_tells_nothing(service: Service) -> None:
    member = await service.member()
    key = (await service.make_key(member)).secret
    await told(service, member.token, key)
    service.clock.advance(61)
    assert (await service.who(token=member.token)).changes_are_told
    await service.who(key=key)
    assert await told(service, member.token, key) == set()


async def test_the_end_of_a_session_tells_of_its_token(service: Service) -> None:
    member = await service.member()
    other = (await service.login(member.user.email)).token
    with acting(member.principal):
        await service.servicer.Logout(identity_pb2.LogoutRequest(), None)
    assert await told(service, member.token, other) == {member.token}


async def test_a_new_token_tells_of_the_one_before_which_ends_with_its_overlap(service: Service) -> None:
    member = await service.member()
    with acting(member.principal):
        await service.servicer.RotateSession(identity_pb2.RotateSessionRequest(), None)
    assert await told(service, member.token) == {member.token}
    answer = await service.who(token=member.token)
    left = answer.expire_time.ToDatetime(service.clock.now().tzinfo) - service.clock.now()
    assert 0 < left.total_seconds() <= 30


@pytest.mark.parametrize(
    "statement",
    [
        "update app_user set role = 'viewer' where id = $1",
        "update app_user set agent_access = 'granted' where id = $1",
        "insert into agent_grant select org_id, id, 'agt_1', false, id, now() from app_user where id = $1",
    ],
)
async def test_a_change_of_a_user_tells_of_all_its_credentials_and_no_others(service: Service, statement: str) -> None:
    owner = await service.member()
    user = await service.join(owner, identity_pb2.ROLE_ADMIN)
    key = (await service.make_key(user)).secret
    await told(service, owner.token, user.token, key)
    await change(service, statement, user.user.id)
    assert await told(service, owner.token, user.token, key) == {user.token, key}


async def test_the_removal_of_a_user_tells_of_all_its_credentials(service: Service) -> None:
    owner = await service.member()
    user = await service.join(owner, identity_pb2.ROLE_ADMIN)
    key = (await service.make_key(user)).secret
    await told(service, user.token, key)
    with acting(owner.principal):
        await service.members.RemoveUser(members_pb2.RemoveUserRequest(id=user.user.id), None)
    assert await told(service, owner.token, user.token, key) == {user.token, key}


@pytest.mark.parametrize("column", ["revoked_at = now()", "scopes = '{}'", "allowed_addresses = '{10.0.0.0/8}'"])
async def test_a_change_of_a_key_tells_of_it(service: Service, column: str) -> None:
    member = await service.member()
    key = await service.make_key(member)
    await told(service, member.token, key.secret)
    await change(service, f"update api_key set {column} where id = $1", key.api_key.id)
    assert await told(service, member.token, key.secret) == {key.secret}


async def test_a_suspended_organization_replaces_everything_of_the_service(service: Service) -> None:
    member = await service.member()
    waiting = "select count(*) from cache_invalidation where topic = '*'"
    before = await service.database.system_fetchval(waiting)
    suspend = "update organization set status = 'suspended' where org_id = $1"
    await change(service, suspend, member.principal.org_id)
    assert await service.database.system_fetchval(waiting) == before + 1


# Of the user $1, with the hash $2 and the id $3 where a row is made.
MAKES = {
    "a session": """
        insert into session (org_id, id, user_id, token_hash, ip_address, user_agent, created_at, last_seen_at,
            expires_at)
        select org_id, $3, id, $2, '', '', now(), now(), now() + interval '1 hour' from app_user where id = $1""",
    "a token": "update session set token_hash = $2 where user_id = $1 and $3 <> ''",
    "a key": """insert into api_key (org_id, id, name, prefix, key_hash, scopes, created_by, version, created_at)
        select org_id, $3, 'ci', $3, $2, '{}', id, 1, now() from app_user where id = $1""",
    "a secret": "update api_key set key_hash = $2 where created_by = $1 and $3 <> ''",
}
CHANGES = {
    "a role": "update app_user set role = 'viewer' where id = $1",
    "a grant": "insert into agent_grant select org_id, id, 'agt_1', false, id, now() from app_user where id = $1",
}


@pytest.mark.parametrize("change_first", [True, False])
@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("makes", MAKES)
async def test_a_credential_that_is_made_while_rights_change_is_told_of_or_made_after_them(
    service: Service, makes: str, changes: str, change_first: bool
) -> None:
    user = await a_user_with_a_key(service)
    secret, order = new_id("tok"), list[str]()
    made = (MAKES[makes], user.user.id, sha256(secret.encode()).digest(), new_id("ses"))
    changed = (CHANGES[changes], user.user.id)
    await told(service, secret)
    first, second = (changed, made) if change_first else (made, changed)
    async with service.database.system_transaction() as conn:
        await conn.execute(*first)
        other = asyncio.ensure_future(after(order, change(service, *second)))
        await blocked(service, other)
        order.append("first")
    await other
    assert order == ["first", "second"]
    if not change_first:
        assert await told(service, secret) == {secret}


async def a_user_with_a_key(service: Service) -> Member:
    owner = await service.member()
    user = await service.join(owner, identity_pb2.ROLE_ADMIN)
    await service.make_key(user)
    return user


async def after(order: list[str], act: Awaitable[None]) -> None:
    await act
    order.append("second")


async def blocked(service: Service, other: asyncio.Future[None]) -> None:
    """Until the other transaction waits for a lock of this one, or is done without."""
    waits = "select exists (select 1 from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0)"
    while not other.done() and not await service.database.system_fetchval(waits):
        await asyncio.sleep(0.01)


async def test_a_schema_of_the_release_before_is_not_said_to_tell(
    service: Service, service_database: Callable[..., Awaitable[Database]], tmp_path: Path
) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < "0016":
            shutil.copy(file, tmp_path)
    before = authentication.Authentication(await service_database("identity", tmp_path))
    assert not await before.tells_of_changes()
    before._database = service.database
    assert await before.tells_of_changes(), "it is asked again until it tells"

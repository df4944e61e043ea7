"""Sessions and API keys: how long they live, what they may do, and who sees them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.identity.v1 import identity_pb2
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from libs.postgres import count_statements
from services.identity.domain.scopes import Role
from services.identity.storage import authentication
from suite.roles import ROLE_SCOPES
from suite.tables import QUOTAS, SESSIONS_PER_USER, kept

from .conftest import Member, Service, acting, principal_of


async def refused(service: Service, **credential: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        await service.who(**credential)
    assert refusal.value.reason == ("invalid_credentials" if "token" in credential else "invalid_api_key")


async def test_a_session_slides_and_ends_after_an_idle_hour(service: Service) -> None:
    member = await service.member()
    for _ in range(3):
        service.clock.advance(59 * 60)
        await service.who(token=member.token)
    service.clock.advance(60 * 60 + 1)
    await refused(service, token=member.token)


async def test_a_busy_session_ends_after_thirty_days(service: Service) -> None:
    member = await service.member()
    start = service.clock.now()
    while service.clock.now() < start + timedelta(days=30) - timedelta(minutes=50):
        service.clock.advance(50 * 60)
        answer = await service.who(token=member.token)
    assert answer.expire_time.ToDatetime(tzinfo=start.tzinfo) <= start + timedelta(days=30)
    service.clock.advance(50 * 60)
    await refused(service, token=member.token)


async def test_seeing_a_session_is_one_statement_and_one_write_a_minute(service: Service) -> None:
    member = await service.member()
    seen = "select s.last_seen_at, s.xmin::text as written from session s where s.id = $1"
    before = await service.database.system_fetchrow(seen, member.principal.session_id)
    with count_statements() as counter:
        await service.who(token=member.token)
    assert counter.total == 1
    assert await service.database.system_fetchrow(seen, member.principal.session_id) == before
    service.clock.advance(61)
    await asyncio.gather(*(service.who(token=member.token) for _ in range(20)))
    after = await service.database.system_fetchrow(seen, member.principal.session_id)
    assert after is not None
    assert after["last_seen_at"] == service.clock.now()


async def test_both_questions_go_through_their_index(service: Service) -> None:
    """Over 2,000 sessions and as many keys of one organization."""
    member = await service.member()
    org, user = member.user.organization_id, member.user.id
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    await admin.execute(
        "insert into identity.session (org_id, id, user_id, token_hash, ip_address, user_agent, created_at, "
        f"last_seen_at, expires_at) select '{org}', 'ses_' || n, '{user}', sha256(n::text::bytea), '', '', "
        "now(), now(), now() "
        "from generate_series(1, 2000) n"
    )
    await admin.execute(
        "insert into identity.api_key (org_id, id, name, prefix, key_hash, scopes, created_by, version, created_at) "
        f"select '{org}', 'key_' || n, '', 'p' || n, '', '{{}}', '{user}', 1, now() from generate_series(1, 2000) n"
    )
    await admin.execute("vacuum analyze identity.session, identity.api_key, identity.app_user")
    await admin.execute("set search_path = identity")
    now, hour = service.clock.now(), timedelta(hours=1)
    for sql, index, args in (
        (authentication._SESSION, "session_token", (b"", now, now, now, hour)),
        (authentication._API_KEY, "api_key_prefix", ("", b"", now, now)),
    ):
        plan = "\n".join(row[0] for row in await admin.fetch(f"explain {sql}", *args))
        assert f"using {index} on" in plan, plan
        assert "Seq Scan on session" not in plan, plan
        assert "Seq Scan on api_key" not in plan, plan
    await admin.close()


async def test_what_cannot_be_a_credential_asks_the_database_nothing(service: Service) -> None:
    with count_statements() as counter:
        for token in ("x", "\x00" * 43, "ü" * 43, "a" * 1_000, "esx_test_0123456789_abc"):
            await refused(service, token=token)
            await refused(service, key=token)
        await refused(service)
    assert counter.total == 0
    await refused(service, token="a" * 43)


async def test_logging_out_ends_the_session_at_once(service: Service) -> None:
    member = await service.member()
    other = (await service.login(member.user.email)).token
    with acting(member.principal):
        await service.servicer.Logout(identity_pb2.LogoutRequest(), None)
    await refused(service, token=member.token)
    await service.who(token=other)
    assert (await service.events(member.user.organization_id))[-1] == "session.revoked"


async def test_ones_own_sessions_are_listed_and_ended(service: Service) -> None:
    member, stranger = await service.member(), await service.member()
    phone = (await service.login(member.user.email)).token
    phone_id = (await service.who(token=phone)).session_id
    with acting(member.principal):
        page = await service.servicer.ListSessions(identity_pb2.ListSessionsRequest(), None)
        assert [session.current for session in page.sessions] == [False, True]
        assert page.sessions[0].user_agent == "tests/1"
        await service.servicer.RevokeSession(identity_pb2.RevokeSessionRequest(id=phone_id), None)
        for gone in (phone_id, stranger.principal.session_id, "", "\x00"):
            with pytest.raises(NotFound):
                await service.servicer.RevokeSession(identity_pb2.RevokeSessionRequest(id=gone), None)
        assert len((await service.servicer.ListSessions(identity_pb2.ListSessionsRequest(), None)).sessions) == 1
    await refused(service, token=phone)
    await service.who(token=stranger.token)


async def test_a_colleagues_session_is_not_ones_own(service: Service) -> None:
    member = await service.member()
    async with service.database.system_transaction() as conn:
        await conn.execute(
            "insert into app_user (org_id, id, account_id, email, email_key, first_name, last_name, role, version, "
            "created_at, updated_at) select u.org_id, 'usr_colleague', u.account_id, '', u.id, '', '', 'member', 1, "
            "now(), now() "
            "from app_user u where u.id = $1",
            member.user.id,
        )
    colleague = replace(member.principal, user_id="usr_colleague", session_id="ses_other")
    with acting(colleague):
        assert not (await service.servicer.ListSessions(identity_pb2.ListSessionsRequest(), None)).sessions
        asked = identity_pb2.RevokeSessionRequest(id=member.principal.session_id)
        with pytest.raises(NotFound):
            await service.servicer.RevokeSession(asked, None)
    await service.who(token=member.token)


async def test_cursors_walk_over_the_sessions(service: Service) -> None:
    member = await service.member()
    for _ in range(4):
        await service.login(member.user.email)
    seen, wanted = [], common_pb2.PageRequest(limit=2, cursor_mode=True)
    with acting(member.principal):
        while True:
            page = await service.servicer.ListSessions(identity_pb2.ListSessionsRequest(page=wanted), None)
            seen += [session.id for session in page.sessions]
            wanted.cursor = page.page_info.next_cursor
            if not wanted.cursor:
                break
    assert len(seen) == len(set(seen)) == 5


async def test_a_key_does_what_it_was_made_for(service: Service) -> None:
    member = await service.member()
    made = await service.make_key(member, "agents:read", "calls:read")
    assert made.secret.startswith(made.api_key.prefix + "_")
    assert made.api_key.prefix.startswith("esx_test_")
    caller = await service.who(key=made.secret)
    assert (caller.api_key_id, caller.user_id, caller.session_id) == (made.api_key.id, member.user.id, "")
    assert list(caller.scopes) == ["agents:read", "calls:read"]
    with acting(member.principal):
        read = await service.servicer.GetApiKey(identity_pb2.GetApiKeyRequest(id=made.api_key.id), None)
    assert read.api_key.HasField("last_used_time")
    row = await service.database.system_fetchrow(
        "select k::text as row from api_key k where k.id = $1", made.api_key.id
    )
    assert row is not None
    assert made.secret not in row["row"]
    assert (await service.events(member.user.organization_id))[-1] == "api_key.created"


async def test_keys_that_work_have_a_quota_that_holds_at_once(service: Service) -> None:
    limit = next(quota.limit for quota in QUOTAS["identity"] if quota.name == "api_keys")
    member = await service.member()
    made = await service.make_key(member, "agents:read")
    copies = f"""
        insert into api_key (org_id, id, name, prefix, key_hash, scopes, created_by, version, created_at, revoked_at)
        select k.org_id, k.id || n, k.name, k.prefix || n, k.key_hash, k.scopes, k.created_by, 1, k.created_at,
            case when n > {limit - 4} then now() end
        from api_key k, generate_series(1, {limit}) n where k.id = $1"""
    await service.database.system_fetch(copies, made.api_key.id)
    wanted = [service.make_key(member, "agents:read") for _ in range(6)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    full = [answer for answer in answers if isinstance(answer, FailedPrecondition)]
    assert len(full) == 3
    assert {item.reason for item in full} == {"quota_reached"}
    assert full[0].metadata == {"quota": "api_keys", "limit": str(limit)}
    with acting(member.principal):
        await service.servicer.RevokeApiKey(identity_pb2.RevokeApiKeyRequest(id=made.api_key.id), None)
    await service.make_key(member, "agents:read")


async def test_a_key_is_bounded_by_its_makers_role(service: Service) -> None:
    member = await service.member()
    made = await service.make_key(member, "*")
    assert list((await service.who(key=made.secret)).scopes) == ["*"]
    async with service.database.system_transaction() as conn:
        await conn.execute("update app_user set role = 'viewer' where id = $1", member.user.id)
    readable = sorted(ROLE_SCOPES[Role.VIEWER])
    assert list((await service.who(key=made.secret)).scopes) == readable
    assert list((await service.who(token=member.token)).scopes) == readable


async def test_a_key_never_grants_more_than_its_maker_has(service: Service) -> None:
    member = await service.member()
    made = await service.make_key(member, "members:write", "agents:read")
    clerk = Member(member.user, "", principal_of(await service.who(key=made.secret)))
    await service.make_key(clerk, "agents:read")
    for scopes in (("agents:write",), ("*",)):
        with pytest.raises(PermissionDenied) as refusal:
            await service.make_key(clerk, *scopes)
        assert refusal.value.reason == "scope_not_grantable"
    strong = await service.make_key(member, "*")
    with acting(clerk.principal), pytest.raises(PermissionDenied):
        await service.servicer.RotateApiKey(identity_pb2.RotateApiKeyRequest(id=strong.api_key.id), None)
    reader = await service.make_key(member, "agents:read")
    with pytest.raises(PermissionDenied):
        await service.make_key(Member(member.user, "", principal_of(await service.who(key=reader.secret))))


async def test_a_key_ends_no_key_that_reaches_further(service: Service) -> None:
    member = await service.member()
    made = await service.make_key(member, "members:write", "agents:read")
    clerk = principal_of(await service.who(key=made.secret))
    weak, strong = await service.make_key(member, "agents:read"), await service.make_key(member, "billing:read")
    with acting(clerk):
        await service.servicer.RevokeApiKey(identity_pb2.RevokeApiKeyRequest(id=weak.api_key.id), None)
        with pytest.raises(PermissionDenied, match="scope_not_grantable"):
            await service.servicer.RevokeApiKey(identity_pb2.RevokeApiKeyRequest(id=strong.api_key.id), None)
    await refused(service, key=weak.secret)
    await service.who(key=strong.secret)


async def test_no_one_gets_the_secret_of_a_key_whose_maker_ranks_above(service: Service) -> None:
    """A key acts with the role of its maker: an administrator with an owner's key would be an owner."""
    owner = await service.member()
    admin = await service.join(owner, identity_pb2.ROLE_ADMIN)
    key = await service.make_key(owner, "*")
    asked = identity_pb2.RotateApiKeyRequest(id=key.api_key.id)
    by_key = principal_of(await service.who(key=(await service.make_key(admin, "*")).secret))
    for principal in (admin.principal, by_key):
        with acting(principal), pytest.raises(PermissionDenied, match="role_not_grantable"):
            await service.servicer.RotateApiKey(asked, None)
    await service.who(key=key.secret)
    theirs = identity_pb2.RotateApiKeyRequest(id=(await service.make_key(admin, "*")).api_key.id)
    for principal, wanted in ((owner.principal, asked), (owner.principal, theirs), (admin.principal, theirs)):
        with acting(principal):
            assert (await service.servicer.RotateApiKey(wanted, None)).secret


async def test_a_key_that_expired_is_refused(service: Service) -> None:
    member = await service.member()
    request = identity_pb2.CreateApiKeyRequest(name="ci", scopes=["*"])
    request.expire_time.FromDatetime(service.clock.now() + timedelta(minutes=5))
    with acting(member.principal):
        made = await service.servicer.CreateApiKey(request, None)
    answer = await service.who(key=made.secret)
    assert answer.expire_time == request.expire_time
    service.clock.advance(301)
    await refused(service, key=made.secret)
    with acting(member.principal), pytest.raises(InvalidArgument) as refusal:
        await service.servicer.CreateApiKey(request, None)
    assert refusal.value.violations[0].pointer == "#/expiresAt"


async def test_a_rotated_key_works_twice_until_the_overlap_has_passed(service: Service) -> None:
    member = await service.member()
    made = await service.make_key(member)
    with acting(member.principal):
        asked = identity_pb2.RotateApiKeyRequest(id=made.api_key.id, overlap_seconds=60)
        rotated = await service.servicer.RotateApiKey(asked, None)
    assert rotated.api_key.prefix == made.api_key.prefix
    assert rotated.api_key.version == 2
    until = (await service.who(key=made.secret)).expire_time
    assert until.ToDatetime(tzinfo=service.clock.now().tzinfo) == service.clock.now() + timedelta(seconds=60)
    await service.who(key=rotated.secret)
    service.clock.advance(61)
    await refused(service, key=made.secret)
    await service.who(key=rotated.secret)
    with acting(member.principal):
        asked.overlap_seconds = 0
        last = await service.servicer.RotateApiKey(asked, None)
    await refused(service, key=rotated.secret)
    await service.who(key=last.secret)


async def test_a_revoked_key_is_refused_at_once(service: Service) -> None:
    member, stranger = await service.member(), await service.member()
    made = await service.make_key(member)
    asked = identity_pb2.RevokeApiKeyRequest(id=made.api_key.id)
    with acting(stranger.principal), pytest.raises(NotFound):
        await service.servicer.RevokeApiKey(asked, None)
    await service.who(key=made.secret)
    with acting(member.principal):
        await service.servicer.RevokeApiKey(asked, None)
        await service.servicer.RevokeApiKey(asked, None)
        with pytest.raises(FailedPrecondition):
            await service.servicer.RotateApiKey(identity_pb2.RotateApiKeyRequest(id=made.api_key.id), None)
        assert not (await service.servicer.ListApiKeys(identity_pb2.ListApiKeysRequest(), None)).api_keys
        kept = await service.servicer.ListApiKeys(identity_pb2.ListApiKeysRequest(include_revoked=True), None)
    assert kept.api_keys[0].HasField("revoke_time")
    await refused(service, key=made.secret)
    assert (await service.events(member.user.organization_id)).count("api_key.revoked") == 1


async def test_another_organization_sees_no_key(service: Service) -> None:
    member, stranger = await service.member(), await service.member()
    made = await service.make_key(member)
    with acting(stranger.principal):
        for key_id in (made.api_key.id, "", "\x00"):
            with pytest.raises(NotFound):
                await service.servicer.GetApiKey(identity_pb2.GetApiKeyRequest(id=key_id), None)
        assert not (await service.servicer.ListApiKeys(identity_pb2.ListApiKeysRequest(), None)).api_keys
    async with service.database.transaction(stranger.user.organization_id) as conn:
        for table in ("organization", "app_user", "account", "invitation", "session", "api_key"):
            foreign = await conn.fetchval(
                f"select count(*) from {table} t where t.org_id = $1", member.user.organization_id
            )
            assert foreign == 0


async def test_a_secret_is_shown_once(service: Service) -> None:
    member = await service.member()
    request = identity_pb2.CreateApiKeyRequest(name="ci", scopes=["*"])
    with acting(member.principal, key="k", fingerprint="f"):
        made = await service.servicer.CreateApiKey(request, None)
        with pytest.raises(AlreadyExists) as replay:
            await service.servicer.CreateApiKey(request, None)
    assert replay.value.reason == "secret_already_shown"
    assert replay.value.metadata == {"resourceId": made.api_key.id}
    rows = await service.database.system_fetch(
        "select k.id from api_key k where k.org_id = $1", member.user.organization_id
    )
    assert len(rows) == 1


async def test_a_list_of_keys_costs_one_statement(service: Service) -> None:
    member = await service.member()
    for _ in range(5):
        await service.make_key(member)
    with acting(member.principal), count_statements() as counter:
        await service.servicer.ListApiKeys(identity_pb2.ListApiKeysRequest(), None)
    assert counter.total == 1


async def test_long_ended_sessions_are_swept(service: Service) -> None:
    member = await service.member()
    service.clock.advance(2 * 3_600)
    await service.login(member.user.email)
    async with service.database.system_transaction() as conn:
        removed = await service.servicer._parts.sessions.sweep(conn, service.clock.now() - timedelta(minutes=30))
    assert removed >= 1
    rows = await service.database.system_fetch("select s.id from session s where s.user_id = $1", member.user.id)
    assert len(rows) == 1


async def test_a_user_keeps_the_newest_sessions(service: Service) -> None:
    member = await service.member()
    copies = """
        insert into session (org_id, id, user_id, token_hash, ip_address, user_agent, created_at, last_seen_at,
            expires_at)
        select s.org_id, s.id || n, s.user_id, sha256((s.id || n)::bytea), '', '', s.created_at, s.last_seen_at,
            s.expires_at
        from session s, generate_series(1, $2::int) n where s.user_id = $1"""
    await service.database.system_fetch(copies, member.user.id, SESSIONS_PER_USER)
    service.clock.advance(1)
    fresh = await service.login(member.user.email)
    await service.who(token=fresh.token)
    rows = await service.database.system_fetch("select s.id from session s where s.user_id = $1", member.user.id)
    assert len(rows) == SESSIONS_PER_USER
    assert (await service.events(member.user.organization_id)).count("session.revoked") == 2


async def test_ended_keys_and_sessions_are_forgotten_in_time(service: Service) -> None:
    member = await service.member()
    old, young, living = [await service.make_key(member) for _ in range(3)]
    with acting(member.principal):
        for ended in (old, young):
            await service.servicer.RevokeApiKey(identity_pb2.RevokeApiKeyRequest(id=ended.api_key.id), None)
    await service.database.system_fetch(
        "update api_key set revoked_at = now() - interval '91 days' where id = $1", old.api_key.id
    )
    async with service.database.system_transaction() as conn:
        keys = service.servicer._parts.api_keys
        assert await keys.sweep(conn, datetime.now(UTC) - kept("identity", "api_key")) == 1
    rows = await service.database.system_fetch(
        "select k.id from api_key k where k.org_id = $1", member.user.organization_id
    )
    assert {row["id"] for row in rows} == {young.api_key.id, living.api_key.id}

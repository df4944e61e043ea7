"""The audit log on a real database: what a write leaves, who may change it, and that a change is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from echosenseix.identity.v1 import accounts_pb2, audit_pb2, identity_pb2
from libs.context import Audited
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from libs.events import ReceivedEvent, Together
from libs.events.audit import audit_recorder
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.principal import Principal
from services.identity.domain.audit import AuditEntry
from services.identity.mapping.audit import entry_from_event
from services.identity.operations.audit import verify_audit
from services.identity.servicer.audit import AuditServicer
from services.identity.storage.audit import AuditChains, AuditLog
from services.identity.subscribers import Subscribers

from .conftest import GATEWAY, PASSWORD, Member, Service, acting, address
from .test_own_account import NEW, forget, in_two
from .test_second_factor import Authenticator

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
# All columns of an entry.
AUDIT_COLUMNS = ", ".join(field.name for field in fields(AuditEntry))
_COLUMNS = "select number, action, changes from audit_log where org_id = $1 order by number"


@pytest.fixture(scope="module")
def log(service: Service) -> AuditLog:
    service.database.audit_through(audit_recorder("identity"))
    return AuditLog(service.database, CursorCodec(b"c" * 32))


@pytest_asyncio.fixture
async def owner(service: Service) -> Member:
    return await service.member()


async def written(service: Service, member: Member, act: Callable[[], Awaitable[object]], **call: str) -> list[Any]:
    """The records of a write in the outbox, as the gateway would have asked for it."""
    return await recorded(service, member.principal, act, **call)


async def recorded(service: Service, who: Principal, act: Callable[[], Awaitable[object]], **call: str) -> list[Any]:
    """The records of one call in the logs of all organizations."""
    audited = Audited(new_id("aud"), "do_something", "", "203.0.113.9")
    with acting(who, **call) as context:
        context.audited, context.request_id = audited, "req_1"
        await act()
    rows = await service.database.system_fetch(
        "select x.payload::text as payload from outbox x where x.topic = 'audit.recorded' "
        "and x.payload ->> 'subject' = $1 order by x.id", audited.id,
    )  # fmt: skip
    return [ReceivedEvent.parse(row["payload"].encode()) for row in rows]


def tables(entry: AuditEntry) -> list[tuple[str, str]]:
    return [(change["table"], change["id"]) for change in json.loads(entry.changes)]


async def keep(service: Service, log: AuditLog, *events: Any) -> None:
    for event in events:
        await keep_together(service, log, [event])


async def keep_together(service: Service, log: AuditLog, events: Sequence[ReceivedEvent]) -> None:
    handler = Subscribers(log).handlers()["audit.recorded"]
    assert isinstance(handler, Together)
    async with service.database.system_transaction(events[0].org_id) as conn:
        await handler.handle(conn, events)


async def test_a_write_is_recorded_with_who_what_and_from_where_in_its_transaction(
    service: Service, log: AuditLog, owner: Member
) -> None:
    request = identity_pb2.UpdateOrganizationRequest(organization=identity_pb2.Organization(name="Renamed"))
    request.update_mask.paths.append("name")
    events = await written(service, owner, lambda: service.servicer.UpdateOrganization(request, None))
    assert len(events) == 1
    await keep(service, log, *events, *events)
    reader = AuditServicer(log)
    with acting(owner.principal):
        listed = await reader.ListAuditLogs(audit_pb2.ListAuditLogsRequest(request_id="req_1"), None)
        whole = (await reader.GetAuditLog(audit_pb2.GetAuditLogRequest(id=listed.audit_logs[0].id), None)).audit_log
    assert len(listed.audit_logs) == 1, "the same event twice is one entry"
    assert (whole.user_id, whole.session_id) == (owner.user.id, owner.principal.session_id)
    assert (whole.action, whole.ip_address, whole.service) == ("do_something", "203.0.113.9", "identity")
    assert whole.target_id == owner.principal.org_id
    [change] = json.loads(whole.changes)
    assert (change["table"], change["operation"]) == ("organization", "update")
    assert (change["before"]["name"], change["after"]["name"]) == ("Engines", "Renamed")
    assert "time_zone" not in change["after"], "only what differs"


async def test_secrets_never_reach_the_record(service: Service, log: AuditLog, owner: Member) -> None:
    request = identity_pb2.CreateApiKeyRequest(name="dialer", scopes=["agents:read"])
    events = await written(service, owner, lambda: service.servicer.CreateApiKey(request, None))
    await keep(service, log, *events)
    rows = await service.database.system_fetch(_COLUMNS, owner.principal.org_id)
    [change] = json.loads(rows[-1]["changes"])
    assert change["after"]["key_hash"] == "(hidden)"
    assert change["after"]["name"] == "dialer"
    assert "\\x" not in rows[-1]["changes"]


async def test_a_refused_write_and_a_replay_leave_nothing(service: Service, log: AuditLog, owner: Member) -> None:
    async def refused() -> None:
        with pytest.raises(InvalidArgument):
            await service.servicer.CreateApiKey(identity_pb2.CreateApiKeyRequest(name="x", scopes=["no:scope"]), None)

    assert await written(service, owner, refused) == []
    request = identity_pb2.UpdateOrganizationRequest(organization=identity_pb2.Organization(name="Once"))
    request.update_mask.paths.append("name")
    act = lambda: service.servicer.UpdateOrganization(request, None)  # noqa: E731
    counts = [len(await written(service, owner, act, key="k", fingerprint="f")) for _ in range(2)]
    assert counts == [1, 0]


async def test_nothing_is_recorded_for_what_no_user_asked_for(service: Service, log: AuditLog, owner: Member) -> None:
    before = await service.events(owner.principal.org_id)
    request = identity_pb2.CreateApiKeyRequest(name="quiet", scopes=["agents:read"])
    with acting(owner.principal):
        await service.servicer.CreateApiKey(request, None)
    assert (await service.events(owner.principal.org_id))[len(before) :] == ["api_key.created"]


async def test_a_password_is_in_the_log_where_it_was_changed_without_rows_of_other_organizations(
    service: Service, log: AuditLog
) -> None:
    first, elsewhere = await in_two(service)
    request = accounts_pb2.ChangePasswordRequest(current_password=PASSWORD, new_password=NEW)
    events = await written(service, first, lambda: service.accounts.ChangePassword(request, None))
    assert [event.org_id for event in events] == [first.principal.org_id]
    entry = entry_from_event(events[0])
    assert (entry.user_id, entry.session_id) == (first.user.id, first.principal.session_id)
    assert "account" in [table for table, _ in tables(entry)]
    for foreign in (elsewhere.principal.org_id, elsewhere.user.id, elsewhere.principal.session_id):
        assert foreign not in entry.changes
    assert '"org"' not in entry.changes
    ended = await service.events(elsewhere.principal.org_id)
    assert ended[-1] == "session.revoked", "the write did reach the other organization"


async def test_a_mailed_link_leaves_one_entry_with_rows_of_its_organization_alone(
    service: Service, log: AuditLog
) -> None:
    first, elsewhere = await in_two(service)
    await forget(service, first.user.email)
    link = await service.token(first.user.email)
    request = accounts_pb2.ResetPasswordRequest(token=link, password=NEW)
    [event] = await recorded(service, GATEWAY, lambda: service.accounts.ResetPassword(request, None))
    assert event.org_id == elsewhere.principal.org_id
    entry = entry_from_event(event)
    assert ("session", elsewhere.principal.session_id) in tables(entry)
    for foreign in (first.principal.org_id, first.user.id, first.principal.session_id):
        assert foreign not in entry.changes


async def test_what_concerns_the_account_alone_is_in_the_log_of_the_session(
    service: Service, log: AuditLog, owner: Member
) -> None:
    accounts, begun = service.accounts, accounts_pb2.BeginSecondFactorResponse()

    async def begin() -> None:
        request = accounts_pb2.BeginSecondFactorRequest(password=PASSWORD)
        begun.CopyFrom(await accounts.BeginSecondFactor(request, None))

    found = [await written(service, owner, begin)]
    phone = Authenticator(service, begun.secret)
    confirm = accounts_pb2.ConfirmSecondFactorRequest(code=phone.code())
    found.append(await written(service, owner, lambda: accounts.ConfirmSecondFactor(confirm, None)))
    codes = accounts_pb2.ReplaceRecoveryCodesRequest(code=phone.fresh())
    found.append(await written(service, owner, lambda: accounts.ReplaceRecoveryCodes(codes, None)))
    disable = accounts_pb2.DisableSecondFactorRequest(code=phone.fresh())
    found.append(await written(service, owner, lambda: accounts.DisableSecondFactor(disable, None)))
    moving = accounts_pb2.RequestEmailChangeRequest(
        email=address(), password=PASSWORD, confirm_url="https://suite.example.com/#"
    )
    found.append(await written(service, owner, lambda: accounts.RequestEmailChange(moving, None)))
    written_rows = [
        {table for table, _ in tables(entry_from_event(event))}
        for [event] in found
        if (event.org_id, entry_from_event(event).user_id) == (owner.principal.org_id, owner.user.id)
    ]
    assert written_rows == [
        {"account"}, {"account", "recovery_code"}, {"account", "recovery_code"}, {"account", "recovery_code"},
        {"account_token"},
    ]  # fmt: skip
    assert begun.secret not in str(found)


async def test_a_login_has_its_user_as_actor_and_a_switch_is_in_the_log_that_it_opens(
    service: Service, log: AuditLog
) -> None:
    first, elsewhere = await in_two(service)
    organization = elsewhere.principal.org_id
    service.clock.advance(1)
    other = accounts_pb2.SwitchOrganizationRequest(organization_id=organization)
    [event] = await written(service, first, lambda: service.accounts.SwitchOrganization(other, None))
    entry = entry_from_event(event)
    assert (entry.org_id, entry.user_id, entry.role) == (organization, elsewhere.user.id, "")
    assert entry.session_id not in ("", first.principal.session_id)
    assert first.user.id not in entry.changes
    login = identity_pb2.LoginRequest(email=first.user.email, password=PASSWORD)
    [event] = await recorded(service, GATEWAY, lambda: service.servicer.Login(login, None))
    entry = entry_from_event(event)
    assert (entry.org_id, entry.user_id) == (organization, elsewhere.user.id), "where the person was last"
    assert ("session", entry.session_id) in tables(entry)


async def test_a_login_with_a_second_factor_leaves_an_entry_for_each_step(
    service: Service, log: AuditLog, owner: Member
) -> None:
    phone = Authenticator(service, (await service.begin_factor(owner)).secret)
    await service.confirm_factor(owner, phone.code())
    login, answer = identity_pb2.LoginRequest(email=owner.user.email, password=PASSWORD), identity_pb2.LoginResponse()

    async def first_step() -> None:
        answer.CopyFrom(await service.servicer.Login(login, None))

    [asked] = await recorded(service, GATEWAY, first_step)
    verify = accounts_pb2.VerifySecondFactorRequest(challenge=answer.challenge, code=phone.fresh())
    [passed] = await recorded(service, GATEWAY, lambda: service.accounts.VerifySecondFactor(verify, None))
    for event, session in ((asked, False), (passed, True)):
        entry = entry_from_event(event)
        assert (entry.org_id, entry.user_id) == (owner.principal.org_id, owner.user.id)
        assert bool(entry.session_id) is session


async def test_what_a_call_wrote_for_the_account_before_its_login_is_in_the_entry_of_the_login(
    service: Service, log: AuditLog, owner: Member
) -> None:
    """As a sign-in with OpenID does, which links the account first."""
    account = await service.database.system_fetchval(
        "select u.account_id from app_user u where u.id = $1", owner.user.id
    )

    async def link_then_login() -> None:
        async with service.database.transaction(account) as conn:
            await conn.execute(
                "insert into account_link (org_id, issuer, subject, created_at) values ($1, 'https://op', $1, now())",
                account,
            )
        await service.servicer.Login(identity_pb2.LoginRequest(email=owner.user.email, password=PASSWORD), None)

    [event] = await recorded(service, GATEWAY, link_then_login)
    entry = entry_from_event(event)
    assert (entry.org_id, entry.user_id) == (owner.principal.org_id, owner.user.id)
    assert {"account_link", "session"} <= {table for table, _ in tables(entry)}


async def test_what_a_write_under_a_key_made_is_its_target(service: Service, log: AuditLog, owner: Member) -> None:
    made = identity_pb2.CreateApiKeyResponse()

    async def create() -> None:
        request = identity_pb2.CreateApiKeyRequest(name="keyed", scopes=["agents:read"])
        made.CopyFrom(await service.servicer.CreateApiKey(request, None))

    [event] = await written(service, owner, create, key="k-target", fingerprint="f")
    entry = entry_from_event(event)
    assert entry.target_id == made.api_key.id
    assert tables(entry) == [("api_key", made.api_key.id)]


async def entries(service: Service, log: AuditLog, owner: Member, count: int) -> None:
    for number in range(count):
        request = identity_pb2.CreateApiKeyRequest(name=f"key {number}", scopes=["agents:read"])
        act = partial(service.servicer.CreateApiKey, request, None)
        await keep(service, log, *await written(service, owner, act))


async def test_entries_that_arrive_together_are_numbered_without_a_gap_and_each_once(
    service: Service, log: AuditLog, owner: Member
) -> None:
    request = identity_pb2.CreateApiKeyRequest(name="together", scopes=["agents:read"])
    act = partial(service.servicer.CreateApiKey, request, None)
    first, second, third = [(await written(service, owner, act))[0] for _ in range(3)]
    await keep(service, log, second)
    # The second is there, and a part of the third request comes from another service as well.
    other = replace(third, id=new_id("evt"), source="/services/agent")
    await keep_together(service, log, [second, first, third, other])
    rows = await service.database.system_fetch(
        "select number, id from audit_log where org_id = $1 order by number", owner.principal.org_id
    )
    assert [(row["number"], row["id"]) for row in rows] == [
        (1, second.subject), (2, first.subject), (3, third.subject),
    ]  # fmt: skip
    assert await sealed(service, log) >= 1
    assert await faults(service, owner.principal.org_id) == []


async def sealed(service: Service, log: AuditLog, now: datetime = NOW) -> int:
    async with service.database.system_transaction() as conn:
        return await log.seal(conn, now)


@pytest_asyncio.fixture
async def chain(service: Service, log: AuditLog, owner: Member) -> AsyncIterator[str]:
    """An organization with two seals over five entries."""
    await sealed(service, log)
    await entries(service, log, owner, 3)
    assert await sealed(service, log) == 1
    await entries(service, log, owner, 2)
    assert (await sealed(service, log), await sealed(service, log)) == (1, 0)
    yield owner.principal.org_id


async def faults(service: Service, org: str) -> list[str]:
    return [fault async for fault in AuditChains(service.database).faults(org)]


async def test_entries_are_numbered_without_a_gap_and_sealed_once(
    service: Service, log: AuditLog, chain: str, owner: Member
) -> None:
    rows = await service.database.system_fetch(_COLUMNS, chain)
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5]
    with acting(owner.principal):
        answer = await AuditServicer(log).ListAuditSeals(audit_pb2.ListAuditSealsRequest(), None)
    second, first = answer.audit_seals
    assert (first.first_number, first.last_number, second.first_number, second.last_number) == (1, 3, 4, 5)
    assert second.previous_hash == first.hash
    assert await faults(service, chain) == []


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("update audit_log set user_id = 'usr_other' where org_id = $1 and number = 2", "1 to 3 was changed"),
        ("update audit_log set changes = '' where org_id = $1 and number = 5", "4 to 5 was changed"),
        ("delete from audit_log where org_id = $1 and number = 2", "1 to 3 are not all there"),
        ("delete from audit_log where org_id = $1 and number = 5", "4 to 5 are not all there"),
        ("update audit_seal set hash = repeat('0', 64) where org_id = $1 and number = 1", "was changed"),
        ("delete from audit_seal where org_id = $1 and number = 1", "before seal 2 are missing"),
    ],
)
async def test_a_change_of_the_past_is_found(
    service: Service, log: AuditLog, chain: str, tampering: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The administrator of the database can do this; the roles of the service cannot, as the next test shows."""
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    try:
        await admin.execute("set search_path = identity")
        await admin.execute(tampering, chain)
    finally:
        await admin.close()
    assert any(found in fault for fault in await faults(service, chain)), await faults(service, chain)
    assert await verify_audit(service.database.settings) == 1
    told = capsys.readouterr().out
    assert any(chain in line and found in line for line in told.splitlines()), told


@pytest.mark.parametrize("table", ["audit_log", "audit_seal"])
@pytest.mark.parametrize("statement", ["update {} set org_id = org_id", "delete from {}", "truncate {}"])
async def test_no_role_of_the_service_changes_or_deletes_what_is_there(
    service: Service, log: AuditLog, table: str, statement: str
) -> None:
    for transaction in (service.database.transaction("org_1"), service.database.system_transaction()):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction as conn:
                await conn.execute(statement.format(table))


async def test_what_is_younger_than_the_retention_cannot_be_forgotten_and_the_rest_stays_a_chain(
    service: Service, log: AuditLog, chain: str
) -> None:
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    assert await log.forget(datetime.now(UTC) - timedelta(days=91)) == 0
    with pytest.raises(asyncpg.RaiseError, match="90 days"):
        await log.forget(datetime.now(UTC) - timedelta(days=89))
    old = datetime.now(UTC) - timedelta(days=500)
    await admin.execute("update identity.audit_log set created_at = $2 where org_id = $1 and number <= 3", chain, old)
    await admin.execute("update identity.audit_seal set created_at = $2 where org_id = $1 and number = 1", chain, old)
    await admin.close()
    assert await log.forget(datetime.now(UTC) - timedelta(days=400)) == 3
    rows = await service.database.system_fetch(_COLUMNS, chain)
    assert [row["number"] for row in rows] == [4, 5]
    assert await faults(service, chain) == []


async def aged(service: Service, log: AuditLog, owner: Member, days: list[int]) -> str:
    """A sealed organization with entries of these ages, in the order of their numbers."""
    await entries(service, log, owner, 1)
    first = await service.database.system_fetchrow(
        f"select {AUDIT_COLUMNS} from audit_log where org_id = $1", owner.principal.org_id
    )
    assert first is not None
    kept = AuditEntry(**dict(first.items()))
    for age in days:
        entry = replace(kept, id=new_id("aud"), created_at=datetime.now(UTC) - timedelta(days=age))
        async with service.database.system_transaction() as conn:
            await log.add(conn, owner.principal.org_id, [entry])
    await sealed(service, log)
    return owner.principal.org_id


async def numbers(service: Service, org: str) -> list[int]:
    return [row["number"] for row in await service.database.system_fetch(_COLUMNS, org)]


async def test_the_retention_goes_on_until_nothing_is_left_to_forget(service: Service, log: AuditLog) -> None:
    old = datetime.now(UTC) - timedelta(days=500)
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    orgs = [await aged(service, log, await service.member(), [500] * 4) for _ in range(2)]
    await admin.execute(
        "update identity.audit_log set created_at = $2 where org_id = any($1) and number = 1", orgs, old
    )
    await admin.close()
    assert await log.forget(datetime.now(UTC) - timedelta(days=400), at_once=3) == 10
    assert [await numbers(service, org) for org in orgs] == [[], []]
    for org in orgs:
        await entries(service, log, Member(identity_pb2.User(), "", _owner_of(org)), 1)
        assert await numbers(service, org) == [6], "numbers go on after what was forgotten"
        await sealed(service, log)
        assert await faults(service, org) == []


async def test_entries_out_of_order_are_forgotten_by_number_and_the_rest_stays_a_chain(
    service: Service, log: AuditLog
) -> None:
    """The first entry is of now, and events arrive in any order: 500 days old after 1."""
    org = await aged(service, log, await service.member(), [500, 1, 500])
    assert await log.forget(datetime.now(UTC) - timedelta(days=400)) == 0
    assert (await numbers(service, org), await faults(service, org)) == ([1, 2, 3, 4], [])


def _owner_of(org: str) -> Principal:
    return Principal(org_id=org, user_id="usr_1", session_id="ses_1", role="owner", scopes=frozenset({"*"}),
                     issuer="gateway")  # fmt: skip


async def test_the_log_is_one_organizations_and_needs_its_scope(service: Service, log: AuditLog, chain: str) -> None:
    reader, other = AuditServicer(log), await service.member()
    rows = await service.database.system_fetch("select id from audit_log where org_id = $1", chain)
    with acting(other.principal):
        assert not (await reader.ListAuditLogs(audit_pb2.ListAuditLogsRequest(), None)).audit_logs
        with pytest.raises(NotFound):
            await reader.GetAuditLog(audit_pb2.GetAuditLogRequest(id=rows[0]["id"]), None)
    member = Principal(org_id=chain, user_id="usr_1", scopes=frozenset({"members:read", "*:write"}), issuer="gateway")
    with acting(member), pytest.raises(PermissionDenied):
        await reader.ListAuditLogs(audit_pb2.ListAuditLogsRequest(), None)


async def test_every_tenant_table_is_audited_but_the_counters_of_quotas(
    service_database: Callable[..., Awaitable[Database]],
) -> None:
    """A counter is spent before the write, and what it counts is no one's write."""
    for service in ("identity", "agent", "calllog"):
        database = await service_database(service)
        missing = await database.system_fetch(
            "select p.tablename from pg_policies p where p.schemaname = $1 and p.policyname = 'tenant' and not exists ("
            "select from pg_trigger t where t.tgrelid = format('%I.%I', p.schemaname, p.tablename)::regclass "
            "and t.tgname = 'audit')", service,
        )  # fmt: skip
        assert [row["tablename"] for row in missing] == ["quota_use"]

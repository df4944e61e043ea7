"""The audit log on a real database: what a write leaves, who may change it, and that a change is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from echosenseix.identity.v1 import audit_pb2, identity_pb2
from libs.context import Audited
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from libs.events import ReceivedEvent
from libs.events.audit import audit_recorder
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.principal import Principal
from services.identity.servicer.audit import AuditServicer
from services.identity.storage.audit import AuditChains, AuditLog
from services.identity.subscribers import Subscribers

from .conftest import Member, Service, acting

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
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
    audited = Audited(new_id("aud"), "do_something", "", "203.0.113.9")
    with acting(member.principal, **call) as context:
        context.audited, context.request_id = audited, "req_1"
        await act()
    rows = await service.database.system_fetch(
        "select x.payload::text as payload from outbox x where x.topic = 'audit.recorded' and x.org_id = $1 "
        "and x.payload ->> 'subject' = $2", member.principal.org_id, audited.id,
    )  # fmt: skip
    return [ReceivedEvent.parse(row["payload"].encode()) for row in rows]


async def keep(service: Service, log: AuditLog, *events: Any) -> None:
    handler = Subscribers(log).handlers()["audit.recorded"]
    for event in events:
        async with service.database.system_transaction(event.org_id) as conn:
            await handler(conn, event)


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


async def entries(service: Service, log: AuditLog, owner: Member, count: int) -> None:
    for number in range(count):
        request = identity_pb2.CreateApiKeyRequest(name=f"key {number}", scopes=["agents:read"])
        act = partial(service.servicer.CreateApiKey, request, None)
        await keep(service, log, *await written(service, owner, act))


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
    service: Service, log: AuditLog, chain: str, tampering: str, found: str
) -> None:
    """The administrator of the database can do this; the roles of the service cannot, as the next test shows."""
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    try:
        await admin.execute("set search_path = identity")
        await admin.execute(tampering, chain)
    finally:
        await admin.close()
    assert any(found in fault for fault in await faults(service, chain)), await faults(service, chain)


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
    async with service.database.system_transaction() as conn:
        assert await log.forget(conn, datetime.now(UTC) - timedelta(days=91)) == 0
    with pytest.raises(asyncpg.RaiseError, match="90 days"):
        async with service.database.system_transaction() as conn:
            await log.forget(conn, datetime.now(UTC) - timedelta(days=89))
    old = datetime.now(UTC) - timedelta(days=500)
    await admin.execute("update identity.audit_log set created_at = $2 where org_id = $1 and number <= 3", chain, old)
    await admin.execute("update identity.audit_seal set created_at = $2 where org_id = $1 and number = 1", chain, old)
    await admin.close()
    async with service.database.system_transaction() as conn:
        assert await log.forget(conn, datetime.now(UTC) - timedelta(days=400)) == 3
    rows = await service.database.system_fetch(_COLUMNS, chain)
    assert [row["number"] for row in rows] == [4, 5]
    assert await faults(service, chain) == []


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


async def test_every_tenant_table_is_audited(service_database: Callable[..., Awaitable[Database]]) -> None:
    for service in ("identity", "agent"):
        database = await service_database(service)
        missing = await database.system_fetch(
            "select p.tablename from pg_policies p where p.schemaname = $1 and p.policyname = 'tenant' and not exists ("
            "select from pg_trigger t where t.tgrelid = format('%I.%I', p.schemaname, p.tablename)::regclass "
            "and t.tgname = 'audit')", service,
        )  # fmt: skip
        assert [row["tablename"] for row in missing] == []

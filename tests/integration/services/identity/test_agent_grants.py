"""Users who reach named agents: who may set them, what a credential then tells, and that nothing is granted beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from echosenseix.identity.v1 import identity_pb2
from echosenseix.identity.v1 import members_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.rpc.principal import Principal
from services.identity.domain.scopes import Role
from suite.roles import ROLE_SCOPES
from suite.tables import AGENT_GRANTS_PER_USER

from .conftest import Member, Service, acting, as_gateway
from .test_children import create, within
from .test_members import ADMIN, MEMBER, VIEWER, remove, set_role

ALL, GRANTED = identity_pb2.AGENT_ACCESS_ALL, identity_pb2.AGENT_ACCESS_GRANTED


async def grant(
    service: Service, who: Principal, user_id: str, *readable: str, write: tuple[str, ...] = (), **sent: object
) -> pb.PutAgentGrantsResponse:
    grants = [pb.AgentGrant(agent_id=agent) for agent in readable]
    grants += [pb.AgentGrant(agent_id=agent, writable=True) for agent in write]
    request = pb.PutAgentGrantsRequest(
        **{"user_id": user_id, "agent_access": GRANTED, "grants": grants, **sent}  # type: ignore[arg-type]
    )
    with acting(who):
        return await service.members.PutAgentGrants(request, None)


async def granted(service: Service, who: Principal, user_id: str) -> list[tuple[str, bool]]:
    with acting(who):
        answer = await service.members.GetAgentGrants(pb.GetAgentGrantsRequest(user_id=user_id), None)
    return [(one.agent_id, one.writable) for one in answer.grants]


async def reach(service: Service, member: Member) -> tuple[bool, list[str], list[str]]:
    """What its session says of its grants."""
    who = await service.who(token=member.token)
    return who.has_grants, sorted(who.readable_ids), sorted(who.writable_ids)


async def test_a_limited_user_reaches_its_agents_until_the_limit_is_lifted(service: Service) -> None:
    owner = await service.member()
    member = await service.join(owner, MEMBER)
    first, second = sorted((new_id("agt"), new_id("agt")))
    assert await reach(service, member) == (False, [], [])
    made = await grant(service, owner.principal, member.user.id, first, write=(second,))
    assert (made.user.agent_access, made.user.version) == (GRANTED, member.user.version + 1)
    assert {one.granted_by for one in made.grants} == {owner.user.id}
    assert await reach(service, member) == (True, [first, second], [second])
    await grant(service, owner.principal, member.user.id)
    assert await reach(service, member) == (True, [], [])
    await grant(service, owner.principal, member.user.id, agent_access=ALL)
    assert await reach(service, member) == (False, [], [])
    assert await granted(service, owner.principal, member.user.id) == []


async def test_a_change_is_told_once_and_repeating_it_changes_nothing(service: Service) -> None:
    owner = await service.member()
    member, agent = await service.join(owner, VIEWER), new_id("agt")
    before = len(await service.events(owner.user.organization_id))
    for _ in range(3):
        await grant(service, owner.principal, member.user.id, agent)
    told = (await service.events(owner.user.organization_id))[before:]
    assert told == ["user.updated"]
    rows = await service.database.system_fetch(
        "select x.payload from outbox x where x.org_id = $1 order by x.id desc limit 1", owner.user.organization_id
    )
    assert '"accessChanged":true' in rows[0]["payload"].replace(" ", "")
    with pytest.raises(FailedPrecondition, match="stale_version"):
        await grant(service, owner.principal, member.user.id, agent, expected_version=member.user.version)


async def test_a_grant_that_stays_keeps_who_gave_it(service: Service) -> None:
    owner = await service.member()
    admin, member = await service.join(owner, ADMIN), await service.join(owner, MEMBER)
    stays, changes = new_id("agt"), new_id("agt")
    await grant(service, owner.principal, member.user.id, stays, changes)
    answer = await grant(service, admin.principal, member.user.id, stays, write=(changes,))
    assert {one.agent_id: one.granted_by for one in answer.grants} == {stays: owner.user.id, changes: admin.user.id}


async def test_owners_and_admins_are_not_limited_and_a_role_decides_anew(service: Service) -> None:
    owner = await service.member()
    admin, member, agent = await service.join(owner, ADMIN), await service.join(owner, MEMBER), new_id("agt")
    for one in (owner, admin):
        with pytest.raises(FailedPrecondition, match="role_reaches_all_agents"):
            await grant(service, owner.principal, one.user.id, agent)
    await grant(service, owner.principal, member.user.id, agent)
    await set_role(service, owner.principal, member.user.id, ADMIN)
    assert await reach(service, member) == (False, [], [])
    await set_role(service, owner.principal, member.user.id, VIEWER)
    assert await reach(service, member) == (True, [agent], [])


async def test_no_one_grants_what_it_lacks(service: Service) -> None:
    owner = await service.member()
    admin, member = await service.join(owner, ADMIN), await service.join(owner, MEMBER)
    other, agent = await service.join(owner, MEMBER), new_id("agt")
    narrow = await service.make_key(owner, "members:write", "members:read")
    who = await service.who(key=narrow.secret)
    key = replace(owner.principal, session_id="", api_key_id=who.api_key_id, scopes=frozenset(who.scopes))
    for caller, reason in ((other.principal, "missing_scope"), (key, "role_not_grantable")):
        with pytest.raises(PermissionDenied, match=reason):
            await grant(service, caller, member.user.id, agent)
    # A viewer's rights do not include what a grant opens.
    viewer = await service.join(owner, VIEWER)
    key = replace(key, scopes=ROLE_SCOPES[Role.VIEWER] | {"members:write"})
    with pytest.raises(PermissionDenied, match="scope_not_grantable"):
        await grant(service, key, viewer.user.id, agent)
    await grant(service, replace(key, scopes=key.scopes | {"agents:write"}), viewer.user.id, agent)
    # An admin may not touch who ranks above it, whatever it asks for.
    with pytest.raises(PermissionDenied, match="role_not_grantable"):
        await grant(service, admin.principal, owner.user.id, agent_access=ALL)
    assert await granted(service, owner.principal, member.user.id) == []


async def test_what_is_no_grant_is_refused_with_its_place(service: Service) -> None:
    owner = await service.member()
    member, agent = await service.join(owner, MEMBER), new_id("agt")
    for asked, sent, pointer in (
        ((agent, agent), {}, "#/grants/1/agentId"),
        (("x",), {}, "#/grants/0/agentId"),
        ((new_id("usr"),), {}, "#/grants/0/agentId"),
        (("\x00",), {}, "#/grants/0/agentId"),
        ((agent,), {"agent_access": ALL}, "#/grants"),
        ((agent,), {"agent_access": 0}, "#/agentAccess"),
        (tuple(new_id("agt") for _ in range(AGENT_GRANTS_PER_USER + 1)), {}, "#/grants"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await grant(service, owner.principal, member.user.id, *asked, **sent)
        assert [found.pointer for found in refused.value.violations] == [pointer]
    stranger = await service.member()
    for gone in (stranger.user.id, new_id("usr"), ""):
        with pytest.raises(NotFound, match="user_not_found"):
            await grant(service, owner.principal, gone, agent)
    full = tuple(new_id("agt") for _ in range(AGENT_GRANTS_PER_USER))
    await grant(service, owner.principal, member.user.id, *full)
    assert (await reach(service, member))[1] == sorted(full)


async def test_keys_and_former_tokens_of_a_limited_user_are_limited_too(service: Service) -> None:
    owner = await service.member()
    admin, agent = await service.join(owner, ADMIN), new_id("agt")
    key = await service.make_key(admin, "agents:read")
    await set_role(service, owner.principal, admin.user.id, MEMBER)
    await grant(service, owner.principal, admin.user.id, agent)
    who = await service.who(key=key.secret)
    assert (who.has_grants, list(who.readable_ids), list(who.scopes)) == (True, [agent], ["agents:read"])
    with acting(admin.principal):
        await service.servicer.RotateSession(identity_pb2.RotateSessionRequest(), None)
    assert await reach(service, admin) == (True, [agent], [])


async def test_a_limited_user_acts_in_no_customer_of_its_agency(service: Service) -> None:
    owner = await service.member()
    member, child = await service.join(owner, MEMBER), await create(service, owner.principal)
    assert (await within(service, child.id, token=member.token)).org_id == child.id
    await grant(service, owner.principal, member.user.id, new_id("agt"))
    with pytest.raises(PermissionDenied, match="organization_not_accessible"):
        await within(service, child.id, token=member.token)


async def test_a_gateway_that_does_not_obey_grants_is_given_no_limited_caller(service: Service) -> None:
    owner = await service.member()
    member = await service.join(owner, MEMBER)
    older = identity_pb2.AuthenticateRequest(session_token=member.token)
    with as_gateway():
        assert (await service.servicer.Authenticate(older, None)).user_id == member.user.id
    await grant(service, owner.principal, member.user.id)
    with as_gateway(), pytest.raises(PermissionDenied, match="limited_access"):
        await service.servicer.Authenticate(older, None)


async def test_grants_go_with_their_user_and_no_other_organization_sees_them(service: Service) -> None:
    owner, stranger = await service.member(), await service.member()
    member = await service.join(owner, MEMBER)
    await grant(service, owner.principal, member.user.id, new_id("agt"))
    with pytest.raises(NotFound, match="user_not_found"):
        await granted(service, stranger.principal, member.user.id)
    await remove(service, owner.principal, member.user.id)
    sql = "select count(*) from agent_grant a where a.user_id = $1"
    assert await service.database.system_fetchval(sql, member.user.id) == 0

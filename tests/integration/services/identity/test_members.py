"""The users of an organization: listing, roles under a ceiling, removal, and the owner that must remain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.common.v1 import common_pb2
from echosenseix.identity.v1 import identity_pb2
from echosenseix.identity.v1 import members_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from libs.ids import new_id
from libs.rpc.principal import Principal

from .conftest import PASSWORD, Service, acting, as_gateway, principal_of

OWNER, ADMIN, MEMBER, VIEWER = (
    identity_pb2.ROLE_OWNER,
    identity_pb2.ROLE_ADMIN,
    identity_pb2.ROLE_MEMBER,
    identity_pb2.ROLE_VIEWER,
)


async def set_role(
    service: Service, principal: Principal, user_id: str, role: identity_pb2.Role.ValueType, version: int = 0
) -> identity_pb2.User:
    request = pb.UpdateUserRequest(user=identity_pb2.User(id=user_id, role=role), update_mask=FieldMask(paths=["role"]))
    if version:
        request.expected_version = version
    with acting(principal):
        return (await service.members.UpdateUser(request, None)).user


async def remove(service: Service, principal: Principal, user_id: str) -> None:
    with acting(principal):
        await service.members.RemoveUser(pb.RemoveUserRequest(id=user_id), None)


async def users(service: Service, principal: Principal, **wanted: object) -> list[str]:
    with acting(principal):
        page = await service.members.ListUsers(pb.ListUsersRequest(**wanted), None)  # type: ignore[arg-type]
    return [user.id for user in page.users]


async def test_users_are_listed_by_role_and_address_and_each_organization_sees_its_own(service: Service) -> None:
    owner, stranger = await service.member(), await service.member()
    admin, viewer = await service.join(owner, ADMIN), await service.join(owner, VIEWER)
    principal = owner.principal
    assert await users(service, principal) == [viewer.user.id, admin.user.id, owner.user.id]
    assert await users(service, principal, role=ADMIN) == [admin.user.id]
    assert await users(service, principal, email=viewer.user.email.upper()) == [viewer.user.id]
    assert await users(service, principal, email=stranger.user.email) == []
    assert await users(service, stranger.principal) == [stranger.user.id]
    for gone in (owner.user.id, new_id("usr"), "", "\x00"):
        with acting(stranger.principal), pytest.raises(NotFound, match="user_not_found"):
            await service.members.GetUser(pb.GetUserRequest(id=gone), None)
    with acting(principal):
        got = await service.members.GetUser(pb.GetUserRequest(id=viewer.user.id), None)
    assert (got.user.email, got.user.role) == (viewer.user.email, VIEWER)
    assert got.user.HasField("last_login_time")


async def test_cursors_walk_over_the_users(service: Service) -> None:
    owner = await service.member()
    joined = {(await service.join(owner, VIEWER)).user.id for _ in range(4)}
    seen, wanted = list[str](), common_pb2.PageRequest(limit=2, cursor_mode=True, sort="email", order="asc")
    with acting(owner.principal):
        while True:
            page = await service.members.ListUsers(pb.ListUsersRequest(page=wanted), None)
            seen += [user.id for user in page.users]
            wanted.cursor = page.page_info.next_cursor
            if not wanted.cursor:
                break
    assert len(seen) == 5
    assert set(seen) == joined | {owner.user.id}


async def test_a_role_changes_what_the_users_credentials_may_do_at_once(service: Service) -> None:
    owner = await service.member()
    admin = await service.join(owner, ADMIN)
    key = (await service.make_key(admin, "*")).secret
    assert list((await service.who(key=key)).scopes) == ["*"]
    changed = await set_role(service, owner.principal, admin.user.id, VIEWER, version=1)
    assert (changed.role, changed.version) == (VIEWER, 2)
    for caller in (await service.who(key=key), await service.who(token=admin.token)):
        assert "agents:write" not in caller.scopes
        assert "agents:read" in caller.scopes
    with pytest.raises(FailedPrecondition, match="stale_version"):
        await set_role(service, owner.principal, admin.user.id, MEMBER, version=1)
    assert (await service.events(owner.user.organization_id))[-1] == "user.updated"


async def test_names_change_without_the_role_and_bad_ones_are_named(service: Service) -> None:
    owner = await service.member()
    user = identity_pb2.User(id=owner.user.id, first_name=" Grace ", last_name="Hopper", role=VIEWER)
    request = pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["first_name", "last_name"]))
    with acting(owner.principal):
        changed = (await service.members.UpdateUser(request, None)).user
        assert (changed.first_name, changed.last_name, changed.role) == ("Grace", "Hopper", OWNER)
        assert (await service.members.UpdateUser(request, None)).user.version == changed.version
        request.user.first_name = "x" * 101
        with pytest.raises(InvalidArgument) as refusal:
            await service.members.UpdateUser(request, None)
        assert [found.pointer for found in refusal.value.violations] == ["#/firstName"]
        request.update_mask.paths.append("email")
        with pytest.raises(InvalidArgument, match="field_not_editable"):
            await service.members.UpdateUser(request, None)


async def test_no_one_gives_or_takes_a_role_beyond_the_own(service: Service) -> None:
    owner = await service.member()
    admin, member = await service.join(owner, ADMIN), await service.join(owner, MEMBER)
    second = await service.join(owner, OWNER)
    for target, role in ((member, OWNER), (second, ADMIN), (second, VIEWER), (admin, OWNER)):
        with pytest.raises(PermissionDenied, match="role_not_grantable"):
            await set_role(service, admin.principal, target.user.id, role)
    with pytest.raises(PermissionDenied, match="role_not_grantable"):
        await remove(service, admin.principal, second.user.id)
    for principal in (member.principal, (await service.join(owner, VIEWER)).principal):
        with pytest.raises(PermissionDenied, match="missing_scope"):
            await set_role(service, principal, member.user.id, VIEWER)
    assert (await set_role(service, admin.principal, member.user.id, ADMIN)).role == ADMIN


async def test_a_key_gives_no_role_whose_scopes_it_lacks(service: Service) -> None:
    """Although an owner made it: its holder is not the owner."""
    owner = await service.member()
    viewer = await service.join(owner, VIEWER)
    made = await service.make_key(owner, "members:read", "members:write", "agents:read")
    clerk = principal_of(await service.who(key=made.secret))
    for role in (OWNER, ADMIN, MEMBER):
        with pytest.raises(PermissionDenied, match="role_not_grantable"):
            await set_role(service, clerk, viewer.user.id, role)
    for target in (owner, viewer):
        with pytest.raises(PermissionDenied, match="role_not_grantable"):
            await remove(service, clerk, target.user.id)
    with acting(clerk):
        roles = (await service.members.ListRoles(pb.ListRolesRequest(), None)).roles
    assert {role.role for role in roles} == {OWNER, ADMIN, MEMBER, VIEWER}
    assert [role.role for role in roles if role.grantable] == []
    with acting(owner.principal):
        roles = (await service.members.ListRoles(pb.ListRolesRequest(), None)).roles
    assert all(role.grantable for role in roles)


async def test_a_removed_user_is_out_everywhere_and_its_address_is_free(service: Service) -> None:
    owner = await service.member()
    user = await service.join(owner, ADMIN)
    org, other = owner.user.organization_id, (await service.login(user.user.email)).token
    made = await service.make_key(user, "*")
    before = await service.events(org)
    await remove(service, owner.principal, user.user.id)
    for credential in ({"token": user.token}, {"token": other}, {"key": made.secret}):
        with pytest.raises(Unauthenticated):
            await service.who(**credential)
    told = (await service.events(org))[len(before) :]
    assert sorted(told) == ["api_key.revoked", "session.revoked", "session.revoked", "user.removed"]
    with pytest.raises(Unauthenticated, match="wrong_credentials"):
        await service.login(user.user.email)
    with acting(owner.principal):
        keys = await service.servicer.ListApiKeys(identity_pb2.ListApiKeysRequest(include_revoked=True), None)
        assert [key.id for key in keys.api_keys] == [made.api_key.id]
        with pytest.raises(NotFound):
            await service.members.GetUser(pb.GetUserRequest(id=user.user.id), None)
    assert (await service.register(user.user.email)).user.id != user.user.id


async def test_a_removal_leaves_the_account_in_its_other_organizations(service: Service) -> None:
    first, second = await service.member(), await service.member()
    joined = await service.join(first, VIEWER, second.user.email)
    assert joined.user.organization_id == first.user.organization_id
    await remove(service, first.principal, joined.user.id)
    signed_in = await service.login(second.user.email)
    assert signed_in.user.organization_id == second.user.organization_id
    await service.who(token=second.token)


async def test_the_last_owner_stays(service: Service) -> None:
    owner = await service.member()
    admin = await service.join(owner, ADMIN)  # another user is no other owner
    with pytest.raises(FailedPrecondition, match="last_owner"):
        await set_role(service, owner.principal, owner.user.id, ADMIN)
    with pytest.raises(FailedPrecondition, match="last_owner"):
        await remove(service, owner.principal, owner.user.id)
    second = await service.join(owner, OWNER)
    await remove(service, owner.principal, owner.user.id)
    assert await users(service, second.principal) == [second.user.id, admin.user.id]


async def test_two_owners_who_leave_at_once_leave_one(service: Service) -> None:
    first = await service.member()
    second = await service.join(first, OWNER)
    ends = await asyncio.gather(
        remove(service, first.principal, second.user.id),
        set_role(service, second.principal, first.user.id, VIEWER),
        return_exceptions=True,
    )
    refusals = [end for end in ends if isinstance(end, Exception)]
    assert [type(refusal) for refusal in refusals] in ([FailedPrecondition], [NotFound])
    rows = await service.database.system_fetch(
        "select u.id from app_user u where u.org_id = $1 and u.role = 'owner'", first.user.organization_id
    )
    assert len(rows) == 1


async def test_a_foreign_user_is_changed_and_removed_by_no_one_else(service: Service) -> None:
    owner, stranger = await service.member(), await service.member()
    for forged in (stranger.principal, replace(stranger.principal, user_id=owner.user.id)):
        with pytest.raises(NotFound):
            await set_role(service, forged, owner.user.id, VIEWER)
        with pytest.raises(NotFound):
            await remove(service, forged, owner.user.id)
    assert await users(service, owner.principal) == [owner.user.id]


async def test_a_repeated_removal_under_one_key_answers_the_same(service: Service) -> None:
    owner = await service.member()
    user = await service.join(owner, VIEWER)
    for _ in range(2):
        with acting(owner.principal, key="r", fingerprint="f"):
            await service.members.RemoveUser(pb.RemoveUserRequest(id=user.user.id), None)
    assert (await service.events(owner.user.organization_id)).count("user.removed") == 1


async def test_the_password_belongs_to_the_account_and_no_row_of_a_user_holds_it(service: Service) -> None:
    owner = await service.member()
    user = await service.join(owner, VIEWER)
    rows = await service.database.system_fetch(
        "select u::text as row from app_user u where u.org_id = $1", owner.user.organization_id
    )
    assert not any("argon2" in row["row"] for row in rows)
    async with service.database.transaction(owner.user.organization_id) as conn:
        assert await conn.fetchval("select count(*) from account") == 0
    assert (await service.login(user.user.email, PASSWORD)).user.id == user.user.id
    with as_gateway(), pytest.raises(PermissionDenied):
        await service.members.ListUsers(pb.ListUsersRequest(), None)

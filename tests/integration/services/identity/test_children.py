"""An agency and its customers: who sees them, who acts in them, and how that ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.common.v1 import common_pb2
from echosenseix.identity.v1 import accounts_pb2, identity_pb2, members_pb2
from echosenseix.identity.v1 import children_pb2 as pb
from libs.context import Audited
from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from libs.events import ReceivedEvent
from libs.events.audit import audit_recorder
from libs.ids import new_id
from libs.postgres.quotas import Quotas
from libs.rpc.principal import Principal
from services.identity.mapping.audit import entry_from_event
from suite.tables import QUOTAS

from .conftest import LINK, PASSWORD, Member, Service, acting, address, as_gateway, principal_of
from .test_members import ADMIN, MEMBER, OWNER, VIEWER, remove, set_role

ACTIVE, SUSPENDED, ARCHIVED = (
    identity_pb2.ORGANIZATION_STATUS_ACTIVE,
    identity_pb2.ORGANIZATION_STATUS_SUSPENDED,
    identity_pb2.ORGANIZATION_STATUS_ARCHIVED,
)


async def create(service: Service, who: Principal, name: str = "Customer", **fields: Any) -> identity_pb2.Organization:
    request = pb.CreateChildRequest(parent_id=who.org_id, name=name, **fields)
    with acting(who):
        return (await service.children.CreateChild(request, None)).child


async def edit(
    service: Service, who: Principal, child_id: str, *, version: int = 0, **fields: Any
) -> identity_pb2.Organization:
    request = pb.UpdateChildRequest(
        parent_id=who.org_id,
        child=identity_pb2.Organization(id=child_id, **fields),
        update_mask=FieldMask(paths=list(fields)),
    )
    if version:
        request.expected_version = version
    with acting(who):
        return (await service.children.UpdateChild(request, None)).child


async def archive(service: Service, who: Principal, child_id: str) -> None:
    with acting(who):
        await service.children.ArchiveChild(pb.ArchiveChildRequest(parent_id=who.org_id, id=child_id), None)


async def listed(service: Service, who: Principal, **fields: Any) -> list[str]:
    with acting(who):
        page = await service.children.ListChildren(pb.ListChildrenRequest(parent_id=who.org_id, **fields), None)
    return [child.id for child in page.children]


async def within(service: Service, child_id: str, **credential: str) -> Principal:
    """The principal that the gateway gets for a credential in this organization."""
    return principal_of(await service.who(within=child_id, **credential))


async def invited(service: Service, who: Principal, role: identity_pb2.Role.ValueType) -> Member:
    """A user of the organization in which this principal acts."""
    email = address()
    with acting(who):
        request = members_pb2.CreateInvitationRequest(email=email, role=role, accept_url=LINK)
        await service.members.CreateInvitation(request, None)
    with as_gateway():
        asked = members_pb2.AcceptInvitationRequest(token=await service.token(email), password=PASSWORD)
        made = await service.members.AcceptInvitation(asked, None)
    session = (await service.login(email)).token
    return Member(made.user, session, principal_of(await service.who(token=session)))


async def test_an_agency_sees_its_customers_and_no_one_else_does(service: Service) -> None:
    agency, other = (await service.member()).principal, (await service.member()).principal
    first = await create(service, agency, "B", time_zone="Europe/Berlin")
    second = await create(service, agency, "A")
    assert (first.parent_id, first.status, first.time_zone, first.version) == (
        agency.org_id,
        ACTIVE,
        "Europe/Berlin",
        1,
    )
    assert await listed(service, agency) == [second.id, first.id]
    by_name = common_pb2.PageRequest(sort="name", order="asc", limit=1, cursor_mode=True)
    assert await listed(service, agency, page=by_name) == [second.id]
    assert await listed(service, other) == []
    requests = (
        pb.GetChildRequest(parent_id=agency.org_id, id=first.id),
        pb.GetChildRequest(parent_id=other.org_id, id=first.id),
        pb.GetChildRequest(parent_id=other.org_id, id=new_id("org")),
        pb.GetChildRequest(parent_id=other.org_id, id="\x00"),
    )
    for request in requests:
        with acting(other), pytest.raises(NotFound, match="organization_not_found"):
            await service.children.GetChild(request, None)
    for write in (edit(service, other, first.id, name="Taken"), archive(service, other, first.id)):
        with pytest.raises(NotFound, match="organization_not_found"):
            await write
    with acting(agency):
        kept = await service.children.GetChild(requests[0], None)
    assert (kept.child.name, kept.child.status) == ("B", ACTIVE)


async def test_a_customer_sees_neither_its_agency_nor_its_siblings(service: Service) -> None:
    agency = await service.member()
    child, sibling = await create(service, agency.principal), await create(service, agency.principal)
    customer = await invited(service, await within(service, child.id, token=agency.token), OWNER)
    for wanted in (agency.user.organization_id, sibling.id, new_id("org")):
        with pytest.raises(PermissionDenied, match="organization_not_accessible"):
            await service.who(token=customer.token, within=wanted)
        with acting(customer.principal), pytest.raises(NotFound, match="organization_not_found"):
            await service.children.GetChild(pb.GetChildRequest(parent_id=wanted, id=sibling.id), None)
    assert await listed(service, customer.principal) == []
    with pytest.raises(FailedPrecondition, match="child_has_no_children"):
        await create(service, customer.principal)


async def test_row_level_security_shows_a_parent_its_customers_and_lets_it_write_none(service: Service) -> None:
    """Below every method: what the role of tenants can do with the table itself."""
    agency, stranger = (await service.member()).principal, (await service.member()).principal
    child = await create(service, agency)
    everything = "select array_agg(g.org_id) from organization g"
    seen = {
        "agency": (agency.org_id, {agency.org_id, child.id}),
        "child": (child.id, {child.id}),
        "stranger": (stranger.org_id, {stranger.org_id}),
    }
    for who, (org_id, visible) in seen.items():
        async with service.database.transaction(org_id) as conn:
            assert set(await conn.fetchval(everything)) == visible, who
    rename = "update organization g set name = 'Taken' where g.org_id = $1 returning g.org_id"
    for org_id in (agency.org_id, stranger.org_id):
        async with service.database.transaction(org_id) as conn:
            assert await conn.fetchval(rename, child.id) is None
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with service.database.transaction(agency.org_id) as conn:
            await conn.execute(
                "insert into organization (org_id, name, time_zone, version, created_at, updated_at, parent_id) "
                "values ($1, 'x', 'UTC', 1, now(), now(), $2)",
                new_id("org"), agency.org_id,
            )  # fmt: skip


@pytest.mark.parametrize("role", [ADMIN, MEMBER, VIEWER])
async def test_a_user_of_the_agency_acts_in_a_customer_with_its_own_role(
    service: Service, role: identity_pb2.Role.ValueType
) -> None:
    agency = await service.member()
    child, user = await create(service, agency.principal), await service.join(agency, role)
    here = await within(service, child.id, token=user.token)
    assert here == replace(user.principal, org_id=child.id, home_org_id=agency.user.organization_id)
    with acting(here):
        shown = await service.servicer.GetCurrentUser(identity_pb2.GetCurrentUserRequest(), None)
    assert (shown.user.id, shown.organization.id) == (user.user.id, child.id)


async def test_a_key_acts_in_a_customer_only_with_the_scope_for_it(service: Service) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    narrow = (await service.make_key(agency, "agents:read")).secret
    with pytest.raises(PermissionDenied, match="organization_not_accessible"):
        await service.who(key=narrow, within=child.id)
    wide = (await service.make_key(agency, "agents:read", "organizations:read")).secret
    assert (await within(service, child.id, key=wide)).scopes == {"agents:read", "organizations:read"}
    assert (await within(service, agency.user.organization_id, key=narrow)).home_org_id == ""


async def test_what_belongs_to_a_user_is_changed_at_home_alone(service: Service) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)
    password = accounts_pb2.ChangePasswordRequest(current_password=PASSWORD, new_password="another battery")
    key = identity_pb2.CreateApiKeyRequest(name="ci", scopes=["agents:read"])
    acts = (
        service.accounts.ChangePassword(password, None),
        service.servicer.CreateApiKey(key, None),
        service.servicer.Logout(identity_pb2.LogoutRequest(), None),
        service.servicer.ListSessions(identity_pb2.ListSessionsRequest(), None),
    )
    for act in acts:
        with acting(here), pytest.raises(FailedPrecondition, match="own_organization_required"):
            await act
    assert (await service.who(token=agency.token)).session_id == agency.principal.session_id


async def test_a_removed_user_of_the_agency_loses_its_customers(service: Service) -> None:
    agency = await service.member()
    child, user = await create(service, agency.principal), await service.join(agency, ADMIN)
    key = (await service.make_key(user, "*")).secret
    assert (await within(service, child.id, key=key)).org_id == child.id
    await set_role(service, agency.principal, user.user.id, VIEWER)
    assert "agents:write" not in (await within(service, child.id, token=user.token)).scopes
    await remove(service, agency.principal, user.user.id)
    for credential in ({"token": user.token}, {"key": key}):
        with pytest.raises(Unauthenticated):
            await service.who(within=child.id, **credential)


async def test_an_invitation_by_the_agency_ends_with_the_user_who_sent_it(service: Service) -> None:
    agency = await service.member()
    child, user = await create(service, agency.principal), await service.join(agency, ADMIN)
    here, email = await within(service, child.id, token=user.token), address()
    with acting(here):
        with pytest.raises(PermissionDenied, match="role_not_grantable"):
            await service.members.CreateInvitation(
                members_pb2.CreateInvitationRequest(email=email, role=OWNER, accept_url=LINK), None
            )
        await service.members.CreateInvitation(
            members_pb2.CreateInvitationRequest(email=email, role=ADMIN, accept_url=LINK), None
        )
    await remove(service, agency.principal, user.user.id)
    asked = members_pb2.AcceptInvitationRequest(token=await service.token(email), password=PASSWORD)
    with as_gateway(), pytest.raises(NotFound, match="invitation_link_invalid"):
        await service.members.AcceptInvitation(asked, None)


async def test_a_suspended_customer_is_closed_to_all_and_opens_again(service: Service) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    customer = await invited(service, await within(service, child.id, token=agency.token), OWNER)
    key = (await service.make_key(customer, "*")).secret
    with acting(customer.principal):
        rotated = (await service.servicer.RotateSession(identity_pb2.RotateSessionRequest(), None)).token
    suspended = await edit(service, agency.principal, child.id, version=1, status=SUSPENDED)
    assert (suspended.status, suspended.version) == (SUSPENDED, 2)
    # The former token works a moment longer after a rotation, but not in a suspended organization.
    for credential in ({"token": customer.token}, {"token": rotated}, {"key": key}):
        with pytest.raises(Unauthenticated):
            await service.who(**credential)
    with pytest.raises(Unauthenticated, match="invalid_credentials"):
        await service.login(customer.user.email)
    with pytest.raises(PermissionDenied, match="organization_not_accessible"):
        await service.who(token=agency.token, within=child.id)
    assert (await service.events(child.id))[-1] == "org.updated"
    await edit(service, agency.principal, child.id, status=ACTIVE)
    assert (await service.who(key=key)).organization_id == child.id
    assert (await within(service, child.id, token=agency.token)).org_id == child.id


async def test_an_account_signs_in_where_it_may_when_one_of_its_organizations_is_suspended(service: Service) -> None:
    agency, elsewhere = await service.member(), await service.member()
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)
    with acting(here):
        request = members_pb2.CreateInvitationRequest(email=elsewhere.user.email, role=ADMIN, accept_url=LINK)
        await service.members.CreateInvitation(request, None)
    with as_gateway():
        token = await service.token(elsewhere.user.email)
        await service.members.AcceptInvitation(members_pb2.AcceptInvitationRequest(token=token), None)
    service.clock.advance(1)
    switch = accounts_pb2.SwitchOrganizationRequest(organization_id=child.id)
    with acting(elsewhere.principal):
        await service.accounts.SwitchOrganization(switch, None)
    assert (await service.login(elsewhere.user.email)).user.organization_id == child.id
    await edit(service, agency.principal, child.id, status=SUSPENDED)
    again = await service.login(elsewhere.user.email)
    assert again.user.organization_id == elsewhere.user.organization_id


async def test_a_link_into_a_suspended_customer_offers_nothing_until_it_opens_again(service: Service) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    inviter, email = await within(service, child.id, token=agency.token), address()
    with acting(inviter):
        asked = members_pb2.CreateInvitationRequest(email=email, role=OWNER, accept_url=LINK)
        await service.members.CreateInvitation(asked, None)
    token = await service.token(email)
    await edit(service, agency.principal, child.id, status=SUSPENDED)
    accept = members_pb2.AcceptInvitationRequest(token=token, password=PASSWORD)
    with as_gateway():
        with pytest.raises(NotFound, match="invitation_link_invalid"):
            await service.members.PreviewInvitation(members_pb2.PreviewInvitationRequest(token=token), None)
        with pytest.raises(NotFound, match="invitation_link_invalid"):
            await service.members.AcceptInvitation(accept, None)
    await edit(service, agency.principal, child.id, status=ACTIVE)
    with as_gateway():
        assert (await service.members.AcceptInvitation(accept, None)).organization.id == child.id


async def test_the_key_of_a_customer_gets_no_new_secret_from_its_agency(service: Service) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    customer = await invited(service, await within(service, child.id, token=agency.token), OWNER)
    key = (await service.make_key(customer, "agents:read")).api_key
    with (
        acting(await within(service, child.id, token=agency.token)),
        pytest.raises(FailedPrecondition, match="own_organization_required"),
    ):
        await service.servicer.RotateApiKey(identity_pb2.RotateApiKeyRequest(id=key.id), None)


async def test_an_archived_customer_changes_no_more(service: Service) -> None:
    agency = (await service.member()).principal
    child = await create(service, agency)
    for _ in range(2):
        await archive(service, agency, child.id)
    with acting(agency):
        request = pb.GetChildRequest(parent_id=agency.org_id, id=child.id)
        found = (await service.children.GetChild(request, None)).child
    assert (found.status, found.version) == (ARCHIVED, 2)
    for change in ({"status": ACTIVE}, {"name": "Again"}):
        with pytest.raises(FailedPrecondition, match="child_archived"):
            await edit(service, agency, child.id, **change)
    assert await listed(service, agency, status=ARCHIVED) == [child.id]
    assert await listed(service, agency, status=ACTIVE) == []


async def test_bad_input_is_named_and_a_stale_version_refused(service: Service) -> None:
    agency = (await service.member()).principal
    with pytest.raises(InvalidArgument) as refused:
        await create(service, agency, " ", time_zone="Mars/Base")
    assert [found.pointer for found in refused.value.violations] == ["#/name", "#/timeZone"]
    child = await create(service, agency)
    with pytest.raises(InvalidArgument) as refused:
        await edit(service, agency, child.id, status=ARCHIVED)
    assert [found.pointer for found in refused.value.violations] == ["#/status"]
    await edit(service, agency, child.id, name="Renamed")
    with pytest.raises(FailedPrecondition, match="stale_version"):
        await edit(service, agency, child.id, version=1, name="Too late")
    with pytest.raises(InvalidArgument, match="field_not_editable"):
        await edit(service, agency, child.id, parent_id="org_x")


async def test_scopes_guard_each_method(service: Service) -> None:
    agency = (await service.member()).principal
    child = await create(service, agency)
    reader = replace(agency, scopes=frozenset({"organizations:read"}))
    assert await listed(service, reader) == [child.id]
    for write in (
        create(service, reader),
        edit(service, reader, child.id, name="x"),
        archive(service, reader, child.id),
    ):
        with pytest.raises(PermissionDenied, match="missing_scope"):
            await write
    with pytest.raises(PermissionDenied, match="missing_scope"):
        await listed(service, replace(agency, scopes=frozenset({"members:read"})))


async def test_a_repeated_key_makes_one_customer_and_the_quota_holds_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = (await service.member()).principal
    request = pb.CreateChildRequest(parent_id=agency.org_id, name="Once")
    made = []
    for _ in range(2):
        with acting(agency, key="k", fingerprint="f"):
            made.append((await service.children.CreateChild(request, None)).child.id)
    assert made[0] == made[1]
    monkeypatch.setattr(service.database, "quotas", Quotas(QUOTAS["identity"], {"children": 3}))

    async def one() -> str:
        try:
            return (await create(service, agency)).id
        except FailedPrecondition as refusal:
            return refusal.reason

    answers = await asyncio.gather(*(one() for _ in range(5)))
    assert answers.count("quota_reached") == 3
    assert len(await listed(service, agency)) == 3


async def test_acts_on_and_in_a_customer_are_in_both_audit_logs(service: Service) -> None:
    service.database.audit_through(audit_recorder("identity"))
    agency = await service.member()

    async def logged(who: Principal, act: Any) -> dict[str, Any]:
        """The entries of one call by the organization whose log has them."""
        audited = Audited(new_id("aud"), "do_something", "", "203.0.113.9")
        with acting(who) as call:
            call.audited = audited
            await act()
        sql = (
            "select x.payload::text as payload from outbox x where x.topic = 'audit.recorded' "
            "and x.payload ->> 'subject' = $1"
        )
        rows = await service.database.system_fetch(sql, audited.id)
        entries = [entry_from_event(ReceivedEvent.parse(row["payload"].encode())) for row in rows]
        assert len({entry.org_id for entry in entries}) == len(entries)
        return {entry.org_id: entry for entry in entries}

    home = agency.user.organization_id
    request = pb.CreateChildRequest(parent_id=home, name="Customer")
    of_creation = await logged(agency.principal, lambda: service.children.CreateChild(request, None))
    [child] = await listed(service, agency.principal)
    assert set(of_creation) == {home, child}
    for entry in of_creation.values():
        assert (entry.target_id, entry.user_id) == (child, agency.user.id)
        assert "Customer" in entry.changes
    here = await within(service, child, token=agency.token)
    rename = identity_pb2.UpdateOrganizationRequest(
        organization=identity_pb2.Organization(name="Renamed"), update_mask=FieldMask(paths=["name"])
    )
    of_renaming = await logged(here, lambda: service.servicer.UpdateOrganization(rename, None))
    assert set(of_renaming) == {home, child}
    assert "Renamed" in of_renaming[child].changes
    assert (of_renaming[home].target_id, of_renaming[home].changes) == (child, "")
    assert {entry.user_id for entry in of_renaming.values()} == {agency.user.id}

"""Users, organizations and callers."""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2
from libs.rpc.times import to_timestamp
from services.identity.domain.caller import Caller
from services.identity.domain.people import Organization, OrganizationStatus, Registration, User
from services.identity.domain.scopes import Role
from suite.roles import FINGERPRINT

from .agent_grants import ACCESS

_ROLE = {
    Role.OWNER: identity_pb2.ROLE_OWNER,
    Role.ADMIN: identity_pb2.ROLE_ADMIN,
    Role.MEMBER: identity_pb2.ROLE_MEMBER,
    Role.VIEWER: identity_pb2.ROLE_VIEWER,
}
_ROLE_OF: dict[int, Role] = {number: role for role, number in _ROLE.items()}
_STATUS = {
    OrganizationStatus.ACTIVE: identity_pb2.ORGANIZATION_STATUS_ACTIVE,
    OrganizationStatus.SUSPENDED: identity_pb2.ORGANIZATION_STATUS_SUSPENDED,
    OrganizationStatus.ARCHIVED: identity_pb2.ORGANIZATION_STATUS_ARCHIVED,
}
_STATUS_OF: dict[int, OrganizationStatus] = {number: status for status, number in _STATUS.items()}


def user_to_proto(user: User) -> identity_pb2.User:
    return identity_pb2.User(
        id=user.id,
        organization_id=user.org_id,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        role=_ROLE[user.role],
        create_time=to_timestamp(user.created_at),
        update_time=to_timestamp(user.updated_at),
        version=user.version,
        last_login_time=to_timestamp(user.last_login_at),
        agent_access=ACCESS[user.agent_access],
    )


def role_to_proto(role: Role) -> identity_pb2.Role.ValueType:
    return _ROLE[role]


def role_from_proto(number: int) -> Role | None:
    """None for the unspecified number and for those that this release does not know."""
    return _ROLE_OF.get(number)


def status_from_proto(number: int) -> OrganizationStatus | None:
    return _STATUS_OF.get(number)


def organization_to_proto(organization: Organization) -> identity_pb2.Organization:
    return identity_pb2.Organization(
        id=organization.id,
        name=organization.name,
        time_zone=organization.time_zone,
        create_time=to_timestamp(organization.created_at),
        update_time=to_timestamp(organization.updated_at),
        version=organization.version,
        parent_id=organization.parent_id,
        status=_STATUS[organization.status],
    )


def registration_from_proto(message: identity_pb2.RegisterRequest) -> Registration:
    return Registration(
        email=message.email,
        password=message.password,
        first_name=message.first_name,
        last_name=message.last_name,
        organization_name=message.organization_name,
    )


def caller_to_proto(caller: Caller, *, changes_are_told: bool) -> identity_pb2.AuthenticateResponse:
    return identity_pb2.AuthenticateResponse(
        organization_id=caller.org_id,
        user_id=caller.user_id,
        session_id=caller.session_id,
        api_key_id=caller.api_key_id,
        role=_ROLE[caller.role],
        scopes=sorted(caller.effective_scopes),
        allowed_addresses=caller.allowed_addresses,
        expire_time=to_timestamp(caller.expires_at),
        home_organization_id=caller.home_org_id,
        limit_percent=caller.limit_percent,
        states_grants=True,
        has_grants=caller.granted is not None,
        readable_ids=sorted(caller.granted or ()),
        writable_ids=sorted(agent for agent, writable in (caller.granted or {}).items() if writable),
        changes_are_told=changes_are_told,
        roles_fingerprint=FINGERPRINT,
    )

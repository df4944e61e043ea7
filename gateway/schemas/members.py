"""Users of an organization, roles and invitations as the API shows them."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from echosenseix.identity.v1 import identity_pb2, members_pb2
from gateway.http.derived import patch_of, reader
from gateway.http.schema import SORT, Answer, Body, CreatedListQuery, ListQuery, limits
from gateway.schemas.accounts import AgentAccess, Organization, RoleName, User
from gateway.schemas.shapes import EmailAddress, MailedToken
from libs.rpc.messages import enum_numbers

InvitationState = Literal["pending", "accepted", "revoked", "expired"]
ROLES = cast(Mapping[str, identity_pb2.Role.ValueType], enum_numbers(identity_pb2.Role.DESCRIPTOR))
ACCESS = cast(Mapping[str, identity_pb2.AgentAccess.ValueType], enum_numbers(identity_pb2.AgentAccess.DESCRIPTOR))

_LastLogin = Annotated[str | None, Meta(description="When the user last signed in; null before the first time.")]


_AgentAccess = Annotated[
    AgentAccess | None,
    Meta(description="Which agents a member or viewer reaches: all, or those granted. Owners and admins reach all."),
]


class Member(User):
    last_login_at: _LastLogin
    agent_access: _AgentAccess
    version: int


class AgentGrant(Answer):
    agent_id: Annotated[str, Meta(description="The agent that is reached, with its calls and events.")]
    access: Annotated[Literal["read", "write"], Meta(description="`write` also changes the agent and its calls.")]
    granted_by: Annotated[str, Meta(description="The user who gave it last.")]
    created_at: str | None


class AgentGrants(Answer):
    user_id: str
    agent_access: _AgentAccess
    grants: Annotated[list[AgentGrant], Meta(description="Empty where all agents are reached.")]
    version: Annotated[int, Meta(description="Of the user.")]


class AgentGrantBody(Body):
    agent_id: Annotated[
        str, Meta(max_length=64, description="An agent of the organization. The id of none opens nothing.")
    ]
    access: Annotated[Literal["read", "write"], Meta(description="`write` also changes the agent and its calls.")] = (
        "read"
    )


class AgentGrantsBody(Body):
    """Replaces what was granted before."""

    agent_access: Annotated[AgentAccess, Meta(description="`all`: grants are empty and every agent is reached.")]
    grants: Annotated[list[AgentGrantBody], limits(maxItems=100), Meta(description="At most 100 agents.")] = (
        msgspec.field(default_factory=list)
    )


class UserBody(Body):
    """What the administrators of an organization edit of a user."""

    role: Annotated[RoleName, Meta(description="Only roles that your own includes can be given or taken.")]
    first_name: Annotated[str, limits(maxLength=100)] = ""
    last_name: Annotated[str, limits(maxLength=100)] = ""


UserPatch = patch_of("UserPatch", UserBody)


class UserQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "email"], SORT] | None = None
    role: Annotated[RoleName, Meta(description="Only users of this role.")] | None = None
    email: Annotated[str, Meta(max_length=254, description="Only the user of this address.")] | None = None


class Role(Answer):
    name: Annotated[RoleName, Meta(description="The role.")]
    scopes: list[str]
    grantable: Annotated[bool, Meta(description="Whether you may give and take it.")]


class Roles(Answer):
    data: list[Role]


class Invitation(Answer):
    id: str
    email: Annotated[str, Meta(description="The address that is invited.")]
    role: RoleName | None
    status: InvitationState | None
    invited_by: Annotated[str, Meta(description="The user who invited.")]
    created_at: str | None
    expires_at: Annotated[str | None, Meta(description="Until when the link works.")]
    accepted_at: Annotated[str | None, Meta(description="When it was accepted; null before.")]
    revoked_at: str | None


class InvitationBody(Body):
    email: Annotated[EmailAddress, Meta(description="The address that is invited.")]
    role: Annotated[RoleName, Meta(description="Only roles that your own includes can be given.")]


class InvitationQuery(CreatedListQuery):
    status: Annotated[InvitationState, Meta(description="Only in this state.")] | None = None


class PreviewBody(Body):
    token: MailedToken


class InvitationPreview(Answer):
    """What the holder of a link sees before accepting."""

    organization_name: Annotated[str, Meta(description="The organization that invites.")]
    email: Annotated[str, Meta(description="The address that is invited.")]
    role: RoleName | None
    has_account: Annotated[bool, Meta(description="The address has an account, so accepting needs no password.")]
    expires_at: Annotated[str | None, Meta(description="Until when the link works.")]


class AcceptBody(Body):
    token: MailedToken
    password: Annotated[
        str,
        limits(minLength=8, maxLength=200),
        Meta(description="Of the new account. Required unless the address has an account, which keeps its own."),
    ] = ""
    first_name: Annotated[str, limits(maxLength=100)] = ""
    last_name: Annotated[str, limits(maxLength=100)] = ""


class Accepted(Answer):
    """The user that the acceptance made. It signs in with its password."""

    user: User
    organization: Organization


member_from_proto = reader(Member, identity_pb2.User)
_grant_from_proto = reader(
    AgentGrant, members_pb2.AgentGrant, access=lambda grant: "write" if grant.writable else "read"
)


def grants_from_proto(answer: members_pb2.GetAgentGrantsResponse | members_pb2.PutAgentGrantsResponse) -> AgentGrants:
    user = member_from_proto(answer.user)
    return AgentGrants(
        user_id=user.id,
        agent_access=user.agent_access,
        grants=[_grant_from_proto(grant) for grant in answer.grants],
        version=user.version,
    )


def grants_to_proto(body: AgentGrantsBody) -> members_pb2.PutAgentGrantsRequest:
    return members_pb2.PutAgentGrantsRequest(
        agent_access=ACCESS[body.agent_access],
        grants=[
            members_pb2.AgentGrant(agent_id=grant.agent_id, writable=grant.access == "write") for grant in body.grants
        ],
    )


invitation_from_proto = reader(
    Invitation,
    members_pb2.Invitation,
    {"expires_at": "expire_time", "accepted_at": "accept_time", "revoked_at": "revoke_time"},
)
preview_from_proto = reader(InvitationPreview, members_pb2.PreviewInvitationResponse, {"expires_at": "expire_time"})
role_from_proto = reader(Role, members_pb2.RoleInfo, {"name": "role"})

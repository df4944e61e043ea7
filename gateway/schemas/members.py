"""Users of an organization, roles and invitations as the API shows them."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from msgspec import Meta

from echosenseix.identity.v1 import identity_pb2, members_pb2
from gateway.http.derived import patch_of, reader
from gateway.http.schema import SORT, Answer, Body, CreatedListQuery, ListQuery, limits
from gateway.schemas.accounts import Organization, RoleName, User
from gateway.schemas.shapes import EmailAddress, MailedToken
from libs.rpc.messages import enum_numbers

InvitationState = Literal["pending", "accepted", "revoked", "expired"]
ROLES = cast(Mapping[str, identity_pb2.Role.ValueType], enum_numbers(identity_pb2.Role.DESCRIPTOR))

_LastLogin = Annotated[str | None, Meta(description="When the user last signed in; null before the first time.")]


class Member(User):
    last_login_at: _LastLogin
    version: int


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
invitation_from_proto = reader(
    Invitation,
    members_pb2.Invitation,
    {"expires_at": "expire_time", "accepted_at": "accept_time", "revoked_at": "revoke_time"},
)
preview_from_proto = reader(InvitationPreview, members_pb2.PreviewInvitationResponse, {"expires_at": "expire_time"})
role_from_proto = reader(Role, members_pb2.RoleInfo, {"name": "role"})

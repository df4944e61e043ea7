"""Users, organizations, sessions and API keys as the API shows them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http.derived import patch_of, reader
from gateway.http.schema import SORT, Answer, Body, ListQuery, limits
from gateway.schemas.shapes import EmailAddress, MailedToken, Name
from libs.rpc.principal import Grants
from suite.services import SCOPES

RoleName = Literal["owner", "admin", "member", "viewer"]
OrganizationState = Literal["active", "suspended", "archived"]
AgentAccess = Literal["all", "granted"]
_ACCESS: Mapping[int, AgentAccess] = {pb.AGENT_ACCESS_ALL: "all", pb.AGENT_ACCESS_GRANTED: "granted"}


class User(Answer):
    id: str
    email: str
    organization_id: str
    role: RoleName | None
    first_name: str | None
    last_name: str | None
    created_at: str | None
    updated_at: str | None


class Organization(Answer):
    id: str
    name: str
    time_zone: str | None
    parent_id: Annotated[str | None, Meta(description="The agency whose customer it is; null for one of its own.")]
    status: Annotated[
        OrganizationState | None, Meta(description="Its sessions and API keys work only while it is active.")
    ]
    version: int
    created_at: str | None
    updated_at: str | None


class ReachedAgent(Answer):
    agent_id: str
    access: Annotated[Literal["read", "write"], Meta(description="`write` also changes the agent and its calls.")]


class CurrentUser(User):
    agent_access: Annotated[
        AgentAccess | None,
        Meta(description="`granted`: as a member or viewer you reach the agents that you were granted."),
    ]
    agent_grants: Annotated[
        list[ReachedAgent] | None,
        Meta(description="The agents that this credential reaches, by their ids; null where it reaches all."),
    ]
    organization: Organization
    scopes: Annotated[list[str], Meta(description="What the credential of this request may do; `*` is everything.")]


class Session(Answer):
    id: str
    user_id: str
    ip_address: str | None
    user_agent: str | None
    device: Annotated[str | None, Meta(description="Browser and system, or the program, as its user agent names them.")]
    network: Annotated[str | None, Meta(description="The network of the address.")]
    current: bool
    created_at: str | None
    last_seen_at: str | None
    expires_at: str | None


class ApiKey(Answer):
    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_by: str | None
    created_at: str | None
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None
    allowed_addresses: list[str]
    version: int


class FreshApiKey(ApiKey):
    """The only answer that carries the secret."""

    secret: str


class Registered(Answer):
    """Without user and organization the account waits for the link that was mailed, or the address was taken before."""

    user: User | None
    organization: Organization | None


class Verified(Answer):
    user: User
    organization: Organization


class LoggedIn(Answer):
    """A session; or with status 202 a challenge alone, for accounts with a second factor."""

    token: str | None
    expires_at: str | None
    user: User | None
    challenge: Annotated[
        str | None, Meta(description="Send it with a code to /api/login/second-factor; null where none is needed.")
    ]


class Rotated(Answer):
    token: str
    expires_at: str | None


# The names of the IANA database have this shape; the owning service knows those that exist.
TIME_ZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$"


class RegisterBody(Body):
    email: EmailAddress
    password: Annotated[str, limits(minLength=8, maxLength=200)]
    organization_name: Name
    first_name: Annotated[str, limits(maxLength=100)] = ""
    last_name: Annotated[str, limits(maxLength=100)] = ""


class VerifyBody(Body):
    token: MailedToken


class ResendBody(Body):
    email: EmailAddress


class LoginBody(Body):
    email: Annotated[str, limits(maxLength=254)]
    password: Annotated[str, limits(maxLength=200)]


class OrganizationBody(Body):
    """What an organization's owners edit: the patch is made from this."""

    name: Name
    time_zone: Annotated[
        str, limits(maxLength=64, pattern=TIME_ZONE), Meta(description="IANA name, such as Europe/Berlin.")
    ]


OrganizationPatch = patch_of("OrganizationPatch", OrganizationBody)


class ApiKeyBody(Body):
    name: Annotated[str, limits(minLength=1, maxLength=100)]
    scopes: Annotated[list[Annotated[str, limits(enum=list(SCOPES))]], limits(minItems=1)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    allowed_addresses: Annotated[list[Annotated[str, limits(maxLength=64)]], limits(maxItems=50)] = msgspec.field(
        default_factory=list
    )


class RotateBody(Body):
    overlap_seconds: Annotated[
        int, Meta(ge=0, le=604_800, description="How long the old secret still works; 0 ends it at once.")
    ] = 86_400


class SessionQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "lastSeenAt"], SORT] | None = None


class ApiKeyQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "name"], SORT] | None = None
    include_revoked: bool | None = None


user_from_proto = reader(User, pb.User)
organization_from_proto = reader(Organization, pb.Organization)
session_from_proto = reader(Session, pb.Session, {"expires_at": "expire_time"})
api_key_from_proto = reader(ApiKey, pb.ApiKey, {"expires_at": "expire_time", "revoked_at": "revoke_time"})
logged_in_from_proto = reader(
    LoggedIn,
    pb.LoginResponse,
    {"expires_at": "expire_time"},
    user=lambda answer: user_from_proto(answer.user) if answer.HasField("user") else None,
)


def current_user_from_proto(
    answer: pb.GetCurrentUserResponse, scopes: Iterable[str], grants: Grants | None
) -> CurrentUser:
    """`scopes` and `grants` are those of the credential that asks."""
    user = msgspec.structs.asdict(user_from_proto(answer.user))
    return CurrentUser(
        **user,
        agent_access=_ACCESS.get(answer.user.agent_access),
        agent_grants=None if grants is None else _reached(grants),
        organization=organization_from_proto(answer.organization),
        scopes=sorted(scopes),
    )


def _reached(grants: Grants) -> list[ReachedAgent]:
    return [
        ReachedAgent(agent_id=agent_id, access="write" if agent_id in grants.writable else "read")
        for agent_id in sorted(grants.readable)
    ]


def fresh_api_key_from_proto(key: pb.ApiKey, secret: str) -> FreshApiKey:
    shown = api_key_from_proto(key)
    return FreshApiKey(**msgspec.structs.asdict(shown), secret=secret)

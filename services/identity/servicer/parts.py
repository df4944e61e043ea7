"""The dependencies of the methods, made once in __main__."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from echosenseix.identity.v1 import identity_pb2_grpc
from libs.clock import Clock
from libs.errors import FailedPrecondition, PermissionDenied
from libs.postgres import Database
from libs.rpc.context import current_principal
from libs.rpc.principal import ROLE_GATEWAY, Principal
from services.identity.domain.account_tokens import Purpose
from services.identity.domain.devices import KnownDevices
from services.identity.domain.links import MailedLinks
from services.identity.login_limits import LoginLimits
from services.identity.openid import OpenIdProvider
from services.identity.operations import Credentials
from services.identity.passwords import Passwords
from services.identity.storage.account_tokens import AccountTokens
from services.identity.storage.accounts import Accounts
from services.identity.storage.agent_grants import AgentGrants
from services.identity.storage.api_keys import ApiKeys
from services.identity.storage.authentication import Authentication
from services.identity.storage.children import Children
from services.identity.storage.invitations import Invitations
from services.identity.storage.members import Members
from services.identity.storage.openid_links import OpenIdLinks
from services.identity.storage.pending import PendingRegistrations
from services.identity.storage.people import People
from services.identity.storage.second_factors import SecondFactors
from services.identity.storage.sessions import Sessions
from services.identity.storage.white_labels import WhiteLabels


@dataclass(frozen=True, slots=True)
class Parts:
    database: Database
    accounts: Accounts
    people: People
    labels: WhiteLabels
    children: Children
    members: Members
    grants: AgentGrants
    invitations: Invitations
    tokens: AccountTokens
    factors: SecondFactors
    links: OpenIdLinks
    sessions: Sessions
    api_keys: ApiKeys
    authentication: Authentication
    passwords: Passwords
    limits: LoginLimits
    devices: KnownDevices
    clock: Clock
    production: bool
    pending: PendingRegistrations
    registration_links: MailedLinks
    invitation_links: MailedLinks
    token_links: Mapping[Purpose, MailedLinks]
    verify_by_mail: bool
    openid: OpenIdProvider | None

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.sessions, self.api_keys)


class Methods(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts


def only_the_gateway() -> None:
    if current_principal().role != ROLE_GATEWAY:
        raise PermissionDenied("gateway_only", "Only the gateway may call this.")


def person() -> Principal:
    """The principal, which must stand for a user: by session, or by a key that the user made."""
    principal = current_principal()
    if not principal.user_id:
        raise PermissionDenied("user_required", "Only a user's session or API key may do this.")
    return principal


def at_home() -> Principal:
    """The principal of a user in its own organization: what belongs to a user is there alone."""
    principal = person()
    if principal.home_org_id:
        raise FailedPrecondition("own_organization_required", "Do this in your own organization, without the header.")
    return principal


def signed_in() -> Principal:
    """The principal of a session: what concerns the person behind an account, no API key may do."""
    principal = at_home()
    if not principal.session_id:
        raise FailedPrecondition("session_required", "This needs a session. Sign in; an API key cannot do it.")
    return principal

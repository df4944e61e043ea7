"""The identity service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

from pathlib import Path

from echosenseix.identity.v1.accounts_pb2_grpc import add_AccountServiceServicer_to_server
from echosenseix.identity.v1.audit_pb2_grpc import add_AuditServiceServicer_to_server
from echosenseix.identity.v1.children_pb2_grpc import add_ChildServiceServicer_to_server
from echosenseix.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from echosenseix.identity.v1.members_pb2_grpc import add_MemberServiceServicer_to_server
from echosenseix.identity.v1.operators_pb2_grpc import add_OperatorServiceServicer_to_server
from echosenseix.identity.v1.white_label_pb2_grpc import add_WhiteLabelServiceServicer_to_server
from libs.clock import SystemClock
from libs.http import OutboundClient
from libs.ratelimit import RateLimiter
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from suite.services import IDENTITY as SERVICE
from suite.tables import QUOTAS

from .config import IdentitySettings
from .domain.account_tokens import Purpose
from .domain.devices import KnownDevices
from .domain.links import MailedLinks
from .host_proofs import HostProofs
from .jobs import job_handlers
from .login_limits import LoginLimits
from .openid import OpenIdProvider, OpenIdSettings
from .operations.audit import verify_audit
from .operations.hosts import HostChecks
from .passwords import Passwords
from .servicer import AccountServicer, ChildServicer, IdentityServicer, MemberServicer, OperatorServicer, Parts
from .servicer.audit import AuditServicer
from .servicer.white_label import WhiteLabelServicer
from .storage.account_tokens import AccountTokens
from .storage.accounts import Accounts
from .storage.agent_grants import AgentGrants
from .storage.api_keys import ApiKeys
from .storage.audit import AuditLog
from .storage.authentication import Authentication
from .storage.children import Children
from .storage.invitations import Invitations
from .storage.members import Members
from .storage.openid_links import OpenIdLinks
from .storage.pending import PendingRegistrations
from .storage.people import People
from .storage.second_factors import SEALED, SecondFactors
from .storage.sessions import Sessions
from .storage.white_labels import WhiteLabels
from .subscribers import Subscribers

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[IdentitySettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors, secret = service.settings, service.database, service.cursors, service.mac_keys
    parts = Parts(
        database=database, clock=SystemClock(), production=settings.production,
        accounts=Accounts(database), people=People(database), grants=AgentGrants(database),
        links=OpenIdLinks(database), tokens=AccountTokens(database), pending=PendingRegistrations(database),
        factors=SecondFactors(database, service.envelope), authentication=Authentication(database),
        labels=WhiteLabels(database, cursors), children=Children(database, cursors),
        members=Members(database, cursors), invitations=Invitations(database, cursors),
        sessions=Sessions(database, cursors), api_keys=ApiKeys(database, cursors),
        passwords=await runtime.open(Passwords.open(settings.password_workers)),
        limits=LoginLimits(await runtime.open(RateLimiter.open(settings.redis_url)), lifted=settings.limits == "bench"),
        devices=KnownDevices(secret),
        registration_links=MailedLinks(secret, b"verification of an address", "reg"),
        invitation_links=MailedLinks(secret, b"invitation", "ivt"),
        token_links={purpose: MailedLinks(secret, purpose.value.encode(), "tok") for purpose in Purpose},
        verify_by_mail=settings.verifies_by_mail, openid=_openid(service),
    )  # fmt: skip
    await service.serve(
        (add_IdentityServiceServicer_to_server, IdentityServicer(parts)),
        (add_AccountServiceServicer_to_server, AccountServicer(parts)),
        (add_MemberServiceServicer_to_server, MemberServicer(parts)),
        (add_ChildServiceServicer_to_server, ChildServicer(parts)),
        (add_WhiteLabelServiceServicer_to_server, WhiteLabelServicer(parts, HostProofs(settings.dns_resolvers))),
        (add_OperatorServiceServicer_to_server, OperatorServicer(database, settings.operators)),
        (add_AuditServiceServicer_to_server, AuditServicer(AuditLog(database, cursors))),
    )


def _openid(service: Service[IdentitySettings]) -> OpenIdProvider | None:
    settings = service.settings
    if not settings.openid_issuer:
        return None
    client = OutboundClient(settings.outbound_allow)
    service.runtime.on_close("openid", client.close)
    known = OpenIdSettings(settings.openid_issuer, settings.openid_client_id, settings.openid_client_secret)
    return OpenIdProvider(known, client, service.envelope, SystemClock())


async def work(runtime: Runtime[IdentitySettings]) -> None:
    service = await Service.open(runtime)
    database, cursors = service.database, service.cursors
    sessions, api_keys = Sessions(database, cursors), ApiKeys(database, cursors)
    pending, invitations = PendingRegistrations(database), Invitations(database, cursors)
    log, tokens = AuditLog(database, cursors), AccountTokens(database)
    hosts = HostChecks(WhiteLabels(database, cursors), HostProofs(service.settings.dns_resolvers))
    handlers = job_handlers(sessions, api_keys, pending, invitations, tokens, SystemClock(), log, hosts)
    service.reencrypt(handlers, SEALED)
    service.work(handlers, Subscribers(log).handlers())


if __name__ == "__main__":
    service_main(
        SERVICE.name, IdentitySettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS, further={"verify-audit": verify_audit},
    )  # fmt: skip

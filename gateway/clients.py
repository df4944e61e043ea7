"""Every stub the gateway calls, opened and closed together. The only room of the gateway that knows gRPC.

A stub call raises AppError; principal, request id, trace, deadline and idempotency key travel by libs.rpc.channel.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echosenseix.agent.v1 import agent_pb2_grpc
from echosenseix.billing.v1 import billing_pb2_grpc
from echosenseix.calllog.v1 import calllog_pb2_grpc
from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from echosenseix.identity.v1 import (
    accounts_pb2_grpc,
    audit_pb2_grpc,
    children_pb2_grpc,
    identity_pb2_grpc,
    members_pb2_grpc,
    operators_pb2_grpc,
    white_label_pb2_grpc,
)
from echosenseix.jobs.v1 import jobs_pb2_grpc
from echosenseix.knowledge.v1 import knowledge_pb2_grpc
from echosenseix.realtime.v1 import realtime_pb2_grpc
from gateway.config import GatewaySettings
from gateway.provider_deliveries import ProviderDeliveries
from libs.errors import AppError
from libs.resilience import RetryBudget
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import CallContext, acting_as, serving
from libs.rpc.principal import ROLE_GATEWAY, Principal, PrincipalMinter
from libs.rpc.tls import channel_credentials

if TYPE_CHECKING:
    from echosenseix.agent.v1.agent_pb2_grpc import AgentServiceAsyncStub, IntegrationServiceAsyncStub
    from echosenseix.billing.v1.billing_pb2_grpc import BillingServiceAsyncStub
    from echosenseix.calllog.v1.calllog_pb2_grpc import CallLogServiceAsyncStub, LiveCallServiceAsyncStub
    from echosenseix.common.v1.common_pb2_grpc import QuotaServiceAsyncStub, StatusServiceAsyncStub
    from echosenseix.identity.v1.accounts_pb2_grpc import AccountServiceAsyncStub
    from echosenseix.identity.v1.audit_pb2_grpc import AuditServiceAsyncStub
    from echosenseix.identity.v1.children_pb2_grpc import ChildServiceAsyncStub
    from echosenseix.identity.v1.identity_pb2_grpc import IdentityServiceAsyncStub
    from echosenseix.identity.v1.members_pb2_grpc import MemberServiceAsyncStub
    from echosenseix.identity.v1.operators_pb2_grpc import OperatorServiceAsyncStub
    from echosenseix.identity.v1.white_label_pb2_grpc import WhiteLabelServiceAsyncStub
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub
    from echosenseix.knowledge.v1.knowledge_pb2_grpc import KnowledgeServiceAsyncStub, SourceServiceAsyncStub
    from echosenseix.realtime.v1.realtime_pb2_grpc import (
        NotificationServiceAsyncStub,
        RealtimeServiceAsyncStub,
        WebhookEndpointServiceAsyncStub,
    )

# A service waits up to 1 s each for its database and for Redis.
_ROUND_SECONDS = 1.5
# Seconds for which one round of status calls serves all callers. Longer: staler /health and /metrics.
_FRESH_SECONDS = 1.0
_GATEWAY = Principal(role=ROLE_GATEWAY, issuer="gateway")

Statuses = Mapping[str, common_pb2.GetStatusResponse | None]


@dataclass(frozen=True, slots=True)
class Clients:
    """One stub a service; `jobs`, `status` and `quotas` are served by all six, by name."""

    identity: "IdentityServiceAsyncStub"
    members: "MemberServiceAsyncStub"
    children: "ChildServiceAsyncStub"
    white_labels: "WhiteLabelServiceAsyncStub"
    operators: "OperatorServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    accounts: "AccountServiceAsyncStub"
    agents: "AgentServiceAsyncStub"
    integrations: "IntegrationServiceAsyncStub"
    knowledge: "KnowledgeServiceAsyncStub"
    calls: "CallLogServiceAsyncStub"
    deliveries: ProviderDeliveries
    live_calls: "LiveCallServiceAsyncStub"
    billing: "BillingServiceAsyncStub"
    realtime: "RealtimeServiceAsyncStub"
    sources: "SourceServiceAsyncStub"
    webhook_endpoints: "WebhookEndpointServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"
    jobs: "Mapping[str, JobsServiceAsyncStub]"
    status: "Mapping[str, StatusServiceAsyncStub]"
    quotas: "Mapping[str, QuotaServiceAsyncStub]"
    channels: Mapping[str, RpcChannel]

    async def close(self) -> None:
        """Let running calls end within a second, then cut them."""
        await asyncio.gather(*(channel.close(1.0) for channel in self.channels.values()))
        await self.deliveries.stop()


def open_clients(settings: GatewaySettings, minter: PrincipalMinter) -> Clients:
    """The stubs for as long as the gateway runs. Peers need not be there yet."""
    credentials = channel_credentials(settings)
    channels = {
        name: open_channel(
            targets,
            audience=name,
            minter=minter,
            forward_idempotency=True,
            retries=RetryBudget(),
            credentials=credentials,
        )
        for name, targets in settings.peers.items()
    }
    return _stubs(channels)


def _stubs(channels: Mapping[str, RpcChannel]) -> Clients:
    calls = calllog_pb2_grpc.CallLogServiceStub(channels["calllog"])
    return Clients(
        identity=identity_pb2_grpc.IdentityServiceStub(channels["identity"]),
        accounts=accounts_pb2_grpc.AccountServiceStub(channels["identity"]),
        members=members_pb2_grpc.MemberServiceStub(channels["identity"]),
        children=children_pb2_grpc.ChildServiceStub(channels["identity"]),
        white_labels=white_label_pb2_grpc.WhiteLabelServiceStub(channels["identity"]),
        operators=operators_pb2_grpc.OperatorServiceStub(channels["identity"]),
        audit=audit_pb2_grpc.AuditServiceStub(channels["identity"]),
        agents=agent_pb2_grpc.AgentServiceStub(channels["agent"]),
        integrations=agent_pb2_grpc.IntegrationServiceStub(channels["agent"]),
        knowledge=knowledge_pb2_grpc.KnowledgeServiceStub(channels["knowledge"]),
        calls=calls,
        deliveries=ProviderDeliveries(calls),
        live_calls=calllog_pb2_grpc.LiveCallServiceStub(channels["calllog"]),
        billing=billing_pb2_grpc.BillingServiceStub(channels["billing"]),
        realtime=realtime_pb2_grpc.RealtimeServiceStub(channels["realtime"]),
        sources=knowledge_pb2_grpc.SourceServiceStub(channels["knowledge"]),
        webhook_endpoints=realtime_pb2_grpc.WebhookEndpointServiceStub(channels["realtime"]),
        notifications=realtime_pb2_grpc.NotificationServiceStub(channels["realtime"]),
        jobs={name: jobs_pb2_grpc.JobsServiceStub(channel) for name, channel in channels.items()},
        status={name: common_pb2_grpc.StatusServiceStub(channel) for name, channel in channels.items()},
        quotas={name: common_pb2_grpc.QuotaServiceStub(channel) for name, channel in channels.items()},
        channels=channels,
    )


class SuiteStatus:
    """The status of every service. Callers within a second share one round of calls. A service that does not answer in
    time has the status None."""

    def __init__(self, stubs: "Mapping[str, StatusServiceAsyncStub]") -> None:
        self._stubs = stubs
        self._round: asyncio.Task[Statuses] | None = None
        self._fresh_until = 0.0

    async def read(self) -> Statuses:
        """Service name -> its status, None if it did not answer."""
        if self._round is None or (self._round.done() and time.monotonic() >= self._fresh_until):
            self._round = asyncio.create_task(self._ask())
        return await asyncio.shield(self._round)

    async def _ask(self) -> Statuses:
        with serving(CallContext(deadline=time.monotonic() + _ROUND_SECONDS)), acting_as(_GATEWAY):
            answers = await asyncio.gather(*(self._ask_one(name) for name in self._stubs))
        self._fresh_until = time.monotonic() + _FRESH_SECONDS
        return dict(zip(self._stubs, answers, strict=True))

    async def _ask_one(self, name: str) -> common_pb2.GetStatusResponse | None:
        try:
            return await self._stubs[name].GetStatus(common_pb2.GetStatusRequest())
        except AppError:
            return None

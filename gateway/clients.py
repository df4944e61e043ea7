"""Every stub the gateway calls, opened and closed together. The only room of the gateway that knows gRPC.

A stub call raises AppError; principal, request id, trace, deadline and idempotency key travel by libs.rpc.channel.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echosenseix.agent.v1 import agent_pb2_grpc
from echosenseix.billing.v1 import billing_pb2_grpc
from echosenseix.calllog.v1 import calllog_pb2, calllog_pb2_grpc
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
from libs.batches import Batches, Pace
from libs.errors import AppError, DeadlineExceeded, Unavailable
from libs.resilience import RetryBudget
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import CallContext, acting_as, current_call, serving
from libs.rpc.errors import error_from_details
from libs.rpc.principal import ROLE_GATEWAY, Principal, PrincipalMinter
from libs.rpc.tls import channel_credentials
from libs.telemetry import current_traceparent, use_traceparent

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
# Seconds until a provider's delivery is answered; a provider repeats one that takes longer.
_ANSWER_SECONDS = 30.0
# Bytes of a delivery that may share a call with others: as many as share one fit into a message of 8 MiB.
_SHARED_BYTES = 128 * 1024
# While deliveries to a webhook keep coming, the next call waits for more of them. Longer: fewer calls and transactions
# here and of all that follows, and later answers, for which providers wait: 0.1 s at p99 is the goal.
_DELIVERY_PACE = Pace(alone=1.0, rounds=3.0, least=0.0, most=0.05, series=True)
# Seconds after which a call without an answer holds up the next one no longer.
_DELIVERY_PATIENCE = 0.25
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
    deliveries: "ProviderDeliveries"
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


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A delivery, and the request that brought it."""

    request: calllog_pb2.ReceiveProviderWebhookRequest
    request_id: str
    traceparent: str


class ProviderDeliveries:
    """Passes deliveries of providers on to call-log. Those to one webhook that arrive together share a call, and each
    has an outcome of its own."""

    def __init__(self, calls: "CallLogServiceAsyncStub") -> None:
        self._calls = calls
        self._batches = Batches(self._send, _is_outage, pace=_DELIVERY_PACE, patience=_DELIVERY_PATIENCE)

    async def pass_on(self, delivery: calllog_pb2.ReceiveProviderWebhookRequest) -> bool:
        """Whether it told nothing new, once it is kept. Raises what call-log raises."""
        one = _Delivery(delivery, current_call().request_id, current_traceparent())
        if len(delivery.body) > _SHARED_BYTES:
            return (await self._send_alone(one)).duplicate
        outcome = await self._batches.do(f"{delivery.provider}/{delivery.webhook_token}", one)
        if outcome.refusal:
            raise error_from_details(outcome.refusal)
        return outcome.duplicate

    async def stop(self) -> None:
        await self._batches.stop()

    async def _send(self, webhook: str, sent: Sequence[_Delivery]) -> Sequence[calllog_pb2.ProviderDeliveryOutcome]:
        """Under the request of the first one. A release without this method is sent each alone (Batches)."""
        first = sent[0]
        with serving(CallContext(request_id=first.request_id, repeatable=True)), use_traceparent(first.traceparent):
            if len(sent) == 1:
                return [await self._send_alone(first)]
            deliveries = [
                calllog_pb2.ProviderDelivery(delivery=one.request, traceparent=one.traceparent) for one in sent
            ]
            request = calllog_pb2.ReceiveProviderWebhooksRequest(deliveries=deliveries)
            return (await self._calls.ReceiveProviderWebhooks(request, timeout=_ANSWER_SECONDS)).outcomes

    async def _send_alone(self, one: _Delivery) -> calllog_pb2.ProviderDeliveryOutcome:
        answer = await self._calls.ReceiveProviderWebhook(one.request, timeout=_ANSWER_SECONDS)
        return calllog_pb2.ProviderDeliveryOutcome(duplicate=answer.duplicate)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, Unavailable | DeadlineExceeded)


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

"""The way of providers' deliveries to call-log: those to one webhook that arrive together share a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echosenseix.calllog.v1 import calllog_pb2
from libs.batches import Batches, Pace
from libs.errors import DeadlineExceeded, Unavailable
from libs.rpc.context import CallContext, current_call, serving
from libs.rpc.errors import error_from_details
from libs.telemetry import current_traceparent, use_traceparent

if TYPE_CHECKING:
    from echosenseix.calllog.v1.calllog_pb2_grpc import CallLogServiceAsyncStub

# Seconds until a provider's delivery is answered; a provider repeats one that takes longer.
_ANSWER_SECONDS = 30.0
# Bytes of a delivery that may share a call with others: as many as share one fit into a message of 8 MiB.
_SHARED_BYTES = 128 * 1024
# While deliveries to a webhook keep coming, the next call waits for more of them. Longer: fewer calls and transactions
# here and of all that follows, and later answers, for which providers wait: 0.1 s at p99 is the goal.
_DELIVERY_PACE = Pace(alone=1.0, rounds=3.0, least=0.03, most=0.045, series=True)
# Seconds after which a call without an answer holds up the next one no longer.
_DELIVERY_PATIENCE = 0.25


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

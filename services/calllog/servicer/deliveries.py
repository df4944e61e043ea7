"""Deliveries of providers: proven, parsed and kept. A small one comes in one message, a large one as a stream.

A large one lies in a temporary file until it is kept. Nothing is kept of a delivery that breaks off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from echosenseix.calllog.v1 import calllog_pb2
from libs.batches import Batches, Pace
from libs.clock import Clock
from libs.errors import AppError, DeadlineExceeded, InvalidArgument, Unavailable
from libs.postgres import Connection, Database
from libs.rpc.errors import status_details
from libs.rpc.inbound import told_error
from libs.spool import MEMORY_BYTES, Spool
from libs.telemetry import current_traceparent, use_traceparent
from providers.interface.envelopes import Envelope, Makes
from providers.interface.long_texts import RestTooLarge, take_out
from providers.interface.provider import Provider
from providers.interface.reports import ReportedCall
from services.calllog.domain.calls import ServedBy
from services.calllog.domain.masking import masked
from services.calllog.operations import DeliveredRecordings, keep_delivery
from services.calllog.operations.reported_calls import ReportedCalls, Told
from services.calllog.servicer.senders import Account, Senders
from services.calllog.storage.envelopes import Envelopes

# Bytes of a delivery with a recording, in base64: 48 MiB of MP3 are 50 minutes at 128 kbit/s. The gateway refuses more.
DELIVERY_BYTES = 64 * 1024 * 1024
# Bytes of a report of a call, which is parsed in memory: what an answer of a provider's API may have (libs.http.api).
REPORT_BYTES = 16 * 1024 * 1024
# Seconds that a delivery waits for the agent service; then a job makes its call. Longer: providers wait for longer
# while that service is away.
_RESOLVE_SECONDS = 1.0
# Bytes of a delivery without its recording, which is all that is parsed of a large one.
_REST_BYTES = 1024 * 1024
# Streamed deliveries that a process takes at a time. More: more room in the folder for temporary files, which
# Kubernetes limits to 256 MiB (k8s/base/patches/containers.yaml).
STREAMS = 3
# Bytes of a delivery that may share a transaction with others. More: statements of several megabytes.
_SHARED_BYTES = 128 * 1024
# While deliveries of an organization keep coming, its next transaction waits for more of them. Longer: fewer
# transactions, and later answers, for which providers wait.
_PACE = Pace(alone=1.0, rounds=3.0, least=0.0, most=0.03)
# What a lock that one delivery waits for ends in. The others of its batch are tried alone then, as after any error of
# one delivery; an outage concerns all of them.
_OF_ONE = "database_timeout"


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A delivery that makes a call: its envelope, masked bytes, the size that was sent, and what it tells."""

    envelope: Envelope
    body: bytes
    size: int
    told: Told

    def thing(self) -> tuple[str, str]:
        return self.envelope.provider, self.envelope.key


def is_outage(error: Exception) -> bool:
    return isinstance(error, (Unavailable, DeadlineExceeded)) and error.reason != _OF_ONE


@dataclass(slots=True)
class Deliveries:
    """Keeps what providers deliver. Deliveries of one organization that arrive together share a transaction."""

    database: Database
    envelopes: Envelopes
    recordings: DeliveredRecordings
    reported: ReportedCalls
    senders: Senders
    clock: Clock
    _running: int = field(default=0, init=False)
    _batches: Batches[_Delivered, bool] = field(init=False)

    def __post_init__(self) -> None:
        self._batches = Batches(self._keep_calls, is_outage, _Delivered.thing, _PACE)

    async def receive(self, request: calllog_pb2.ReceiveProviderWebhookRequest) -> bool:
        """Keep a delivery; whether it told nothing new."""
        account = await self.senders.account(request.provider, request.webhook_token)
        await self.senders.check(account, request.proof_headers, request.body)
        if len(request.body) > MEMORY_BYTES:
            envelope = await asyncio.to_thread(account.provider.parse_envelope, request.body)
        else:
            envelope = account.provider.parse_envelope(request.body)
        return await self._keep(account, envelope, request.body, len(request.body))

    async def receive_together(
        self, sent: Sequence[calllog_pb2.ProviderDelivery]
    ) -> list[calllog_pb2.ProviderDeliveryOutcome]:
        """What becomes of each. Those that make calls wait at the same time, so that they share a transaction."""
        return await asyncio.gather(*map(self._outcome, sent))

    async def _outcome(self, sent: calllog_pb2.ProviderDelivery) -> calllog_pb2.ProviderDeliveryOutcome:
        with use_traceparent(sent.traceparent):
            try:
                return calllog_pb2.ProviderDeliveryOutcome(duplicate=await self.receive(sent.delivery))
            except Exception as error:
                refusal = status_details(told_error("a delivery", error))
                return calllog_pb2.ProviderDeliveryOutcome(refusal=refusal)

    async def receive_stream(self, requests: AsyncIterator[calllog_pb2.StreamProviderWebhookRequest]) -> bool:
        """The same for one that comes in pieces."""
        first = await anext(requests, calllog_pb2.StreamProviderWebhookRequest())
        head = first.head
        account = await self.senders.account(head.provider, head.webhook_token)
        with self._slot(), Spool() as body:
            async for request in requests:
                if body.size + len(request.data) > DELIVERY_BYTES:
                    raise _too_large(DELIVERY_BYTES)
                await body.write(request.data)
            await body.seal()
            await self.senders.check(account, head.proof_headers, body)
            envelope = await asyncio.to_thread(_parse, account.provider, body)
            raw = b"" if envelope.makes is Makes.RECORDING else b"".join(body)
            return await self._keep(account, envelope, raw, body.size)

    async def _keep(self, account: Account, envelope: Envelope, raw: bytes, size: int) -> bool:
        """`size` is what was delivered, which counts against the day's quota unless it told nothing new."""
        org_id, now = account.org_id, self.clock.now()
        if envelope.makes is Makes.RECORDING:
            recording = await self.recordings.store(org_id, envelope, account.provider, now)
            if recording is None:
                return True
            async with self.database.transaction(org_id) as conn:
                duplicate = await self.envelopes.keep_processed(conn, org_id, envelope, now)
                await self.recordings.settle(conn, recording, now)
                await self._count(conn, org_id, duplicate, size)
            return duplicate
        if made := await self._read(account, envelope):
            delivered = _Delivered(envelope, masked(raw), size, Told(*made, now, current_traceparent()))
            if len(raw) > _SHARED_BYTES:
                return (await self._keep_calls(org_id, [delivered]))[0]
            return await self._batches.do(org_id, delivered)
        async with self.database.transaction(org_id) as conn:
            duplicate = await keep_delivery(conn, self.envelopes, org_id, envelope, raw, "webhook", now)
            await self._count(conn, org_id, duplicate, size)
        return duplicate

    async def _keep_calls(self, org_id: str, delivered: Sequence[_Delivered]) -> list[bool]:
        """Keep deliveries and their calls in one transaction; for each, whether it told nothing new."""
        now = self.clock.now()
        with use_traceparent(delivered[0].told.traceparent):
            async with self.database.transaction(org_id, by_index=True) as conn:
                bodies = [(one.envelope, one.body) for one in delivered]
                kept = await self.envelopes.keep_together(conn, org_id, bodies, "webhook", now, now)
                pairs = list(zip(kept, delivered, strict=True))
                if told := [one.told for row, one in pairs if row.id]:
                    await self.reported.record_together(conn, org_id, told)
                if size := sum(one.size for row, one in pairs if not row.duplicate):
                    await self.database.quotas.spend(conn, org_id, "webhook_bytes_per_day", size)
        return [row.duplicate for row in kept]

    async def _read(self, account: Account, envelope: Envelope) -> tuple[ReportedCall, ServedBy] | None:
        """The call that is made with the delivery. None for what makes no call, and for what a job reads later: the
        agent service cannot be asked, or the report is not as its type says."""
        if envelope.makes is not Makes.CALL:
            return None
        try:
            report = account.provider.read_report(envelope)
            async with asyncio.timeout(_RESOLVE_SECONDS):
                return report, await self.senders.served_by(account, report.external_agent_id)
        except (AppError, TimeoutError):
            return None

    async def _count(self, conn: Connection, org_id: str, duplicate: bool, size: int) -> None:
        if not duplicate:
            await self.database.quotas.spend(conn, org_id, "webhook_bytes_per_day", size)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._running >= STREAMS:
            raise Unavailable(
                "too_busy", "Too many large deliveries are read at this moment. Try again.", retry_after=5
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


def _parse(provider: Provider, body: Spool) -> Envelope:
    """The envelope of a large delivery. What is no recording is parsed whole."""
    try:
        rest, texts = take_out(body, _REST_BYTES)
        envelope = provider.parse_envelope(rest, texts)
        if envelope.makes is Makes.RECORDING:
            return envelope
    except RestTooLarge:
        pass
    if body.size > REPORT_BYTES:
        raise _too_large(REPORT_BYTES)
    return provider.parse_envelope(b"".join(body))


def _too_large(limit: int) -> InvalidArgument:
    return InvalidArgument("payload_too_large", f"Send at most {limit // (1024 * 1024)} MiB.")

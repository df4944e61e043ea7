"""call.ingest: from a kept envelope to a call with its turns, its event and what follows from it, in one transaction.

Run twice, it changes nothing the second time: a call is known by organisation, provider and the provider's id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from echosenseix.agent.v1 import agent_pb2
from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.events.outbox import append
from libs.ids import new_id
from libs.jobs import Discard, JobContext
from libs.postgres import Connection, Database
from providers.interface.envelopes import Envelope, Makes
from providers.interface.provider import Provider
from providers.interface.reports import ReportedCall
from providers.registry import PROVIDERS
from services.calllog.domain.calls import Call, ServedBy
from services.calllog.domain.merging import change_topic, supersede
from services.calllog.mapping import call_event
from services.calllog.operations import AUDIO, DeliveredRecordings, count_again
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.calls import Calls
from services.calllog.storage.envelopes import Envelopes, StoredEnvelope
from services.calllog.storage.recordings import Recordings

# The agent service's method, as its stub has it.
ResolveAgent = Callable[[agent_pb2.ResolveExternalAgentRequest], Awaitable[agent_pb2.ResolveExternalAgentResponse]]


@dataclasses.dataclass(frozen=True, slots=True)
class CallIngest:
    database: Database
    envelopes: Envelopes
    calls: Calls
    recordings: Recordings
    analytics: Analytics
    resolve_agent: ResolveAgent
    delivered: DeliveredRecordings
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, Any]:
        org_id = ctx.job.org_id
        async with self.database.transaction(org_id) as conn:
            kept = await self.envelopes.get(conn, org_id, str(ctx.job.args["envelopeId"]))
        if kept is None:
            raise Discard("envelope_gone", "The envelope was erased before it was read.")
        if not kept.body:
            return {"changed": False}
        provider = PROVIDERS.get(kept.provider)
        if provider is None:
            raise Discard("provider_unknown", "Webhooks of this provider are not read.")
        try:
            envelope = provider.parse_envelope(kept.body)
            if envelope.makes is Makes.RECORDING:
                return await self._keep_audio(ctx, kept, envelope, provider)
            return await self._make_call(ctx, kept, provider.read_report(envelope))
        except InvalidArgument as error:
            raise Discard(error.reason, error.detail) from None

    async def _make_call(self, ctx: JobContext, kept: StoredEnvelope, report: ReportedCall) -> Mapping[str, Any]:
        org_id = ctx.job.org_id
        served_by = await self._resolve(org_id, report)
        result: dict[str, Any] = {}
        async with ctx.finish(result) as conn:
            now = self.clock.now()
            call_id = await self._record(conn, org_id, report, served_by, kept.received_at)
            result.update({"callId": call_id} if call_id else {}, changed=bool(call_id))
            await self.envelopes.mark_processed(conn, org_id, kept, now)
        return result

    async def _resolve(self, org_id: str, report: ReportedCall) -> ServedBy:
        """The agent tied to the provider's id; None when there is none. An unreachable agent service fails the
        attempt."""
        if not report.external_agent_id:
            return ServedBy()
        try:
            found = await self.resolve_agent(
                agent_pb2.ResolveExternalAgentRequest(
                    organization_id=org_id, provider=report.provider, external_agent_id=report.external_agent_id
                )
            )
        except NotFound:
            return ServedBy()
        return ServedBy(found.agent_id, found.published_version)

    async def _record(
        self, conn: Connection, org_id: str, report: ReportedCall, served_by: ServedBy, received_at: datetime
    ) -> str:
        """Write the report's facts; returns the call's id, or empty when the report has no new fact."""
        now = self.clock.now()
        known = await self.calls.lock(conn, org_id, report.provider, report.external_call_id)
        if known is None:
            call_id = new_id("call")
            report = _with_end(report, received_at)
            if await self.calls.add(conn, org_id, call_id, report, served_by, now):
                await append(conn, call_event(change_topic(None, report), org_id, call_id, 1, served_by, report))
                await self._bring_recording(conn, org_id, call_id, report, now)
                await self._announce_recording(conn, org_id, call_id, report, served_by)
                await count_again(conn, self.analytics, org_id, {report.started_at or now})
                return call_id
            known = await self.calls.lock(conn, org_id, report.provider, report.external_call_id)
        return await self._update(conn, known, report, served_by, received_at) if known else ""

    async def _update(
        self, conn: Connection, known: Call, report: ReportedCall, served_by: ServedBy, received_at: datetime
    ) -> str:
        now = self.clock.now()
        if known.turn_count:
            known = dataclasses.replace(known, turns=await self.calls.turns(conn, known.org_id, known.id))
        facts = supersede(known, report)
        if facts is None:
            return ""
        facts = _with_end(facts, received_at)
        if known.agent_id:
            # A call keeps the version that served it, also when a newer one is published.
            served_by = ServedBy(known.agent_id, known.agent_version)
        await self.calls.update(conn, known.org_id, known.id, facts, served_by, now)
        topic = change_topic(known, facts)
        await append(conn, call_event(topic, known.org_id, known.id, known.version + 1, served_by, facts))
        await self._bring_recording(conn, known.org_id, known.id, facts, now)
        counted = {known.counted_at, facts.started_at or known.created_at}
        await count_again(conn, self.analytics, known.org_id, counted)
        return known.id

    async def _bring_recording(
        self, conn: Connection, org_id: str, call_id: str, report: ReportedCall, now: datetime
    ) -> None:
        """Enqueue the fetch of an ended call's recording, unless it is stored already."""
        if not (report.has_audio and report.status.ended):
            return
        recording = await self.recordings.expect(conn, org_id, report.provider, report.external_call_id, now)
        if recording.status == "pending":
            await AUDIO.enqueue(conn, org_id, {"recordingId": recording.id, "callId": call_id})

    async def _announce_recording(
        self, conn: Connection, org_id: str, call_id: str, report: ReportedCall, served_by: ServedBy
    ) -> None:
        """A recording that arrived before its call was not announced yet."""
        if await self.recordings.is_available(conn, org_id, report.provider, report.external_call_id):
            await append(conn, call_event("call.recording_ready", org_id, call_id, 1, served_by, report))

    async def _keep_audio(
        self, ctx: JobContext, kept: StoredEnvelope, envelope: Envelope, provider: Provider
    ) -> Mapping[str, Any]:
        """Of an envelope that a release before the streamed deliveries kept."""
        org_id, now = ctx.job.org_id, self.clock.now()
        recording = await self.delivered.store(org_id, envelope, provider, now)
        result = {"recordingId": recording.id, "bytes": recording.byte_size} if recording else {"changed": False}
        async with ctx.finish(result) as conn:
            await self.envelopes.drop_body(conn, org_id, kept.id, now)
            if recording is not None:
                await self.delivered.settle(conn, recording, now)
        return result


def _with_end(report: ReportedCall, received_at: datetime) -> ReportedCall:
    """The end of a call whose report has no end time: the time of the report."""
    if not report.status.ended or report.ended_at is not None:
        return report
    return dataclasses.replace(report, ended_at=received_at)

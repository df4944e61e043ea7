"""call.ingest: from a kept envelope to a call, in one transaction with the job's end.

Deliveries make their calls themselves; this does it for those whose agent could not be asked, and for what the
reconciler found. Run twice, it changes nothing the second time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from libs.clock import Clock
from libs.errors import InvalidArgument
from libs.jobs import Discard, JobContext
from libs.postgres import Database
from providers.interface.envelopes import Envelope, Makes
from providers.interface.provider import Provider
from providers.interface.reports import ReportedCall
from providers.registry import PROVIDERS
from services.calllog.operations import DeliveredRecordings
from services.calllog.operations.reported_calls import ReportedCalls
from services.calllog.storage.envelopes import Envelopes, StoredEnvelope


@dataclasses.dataclass(frozen=True, slots=True)
class CallIngest:
    database: Database
    envelopes: Envelopes
    reported: ReportedCalls
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
        served_by = await self.reported.served_by(org_id, report)
        result: dict[str, Any] = {}
        async with ctx.finish(result) as conn:
            # The envelope before its call, as deliveries lock them.
            await self.envelopes.mark_processed(conn, org_id, kept.id, self.clock.now(), kept.received_at)
            call_id = await self.reported.record(conn, org_id, report, served_by, kept.received_at)
            result.update({"callId": call_id} if call_id else {}, changed=bool(call_id))
        return result

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

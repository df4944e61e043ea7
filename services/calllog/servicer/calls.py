"""CallLogService. A webhook is stored and answered at once; its job makes the call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

from echosenseix.calllog.v1 import calllog_pb2, calllog_pb2_grpc
from libs.blobs import BlobStore
from libs.clock import Clock
from libs.errors import FailedPrecondition, NotFound, OutOfRange, invalid_parameter
from libs.events.outbox import append
from libs.ids import is_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope, require_service
from libs.rpc.delegation import Delegations
from libs.rpc.masks import Editable
from libs.rpc.paging import json_page, page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from libs.rpc.times import from_timestamp
from services.calllog.domain.analytics import Window, bucket_starts, check_window, fill
from services.calllog.domain.calls import Call, Recording
from services.calllog.domain.tags import checked_tags
from services.calllog.mapping import (
    billable_to_proto,
    bucket_to_proto,
    call_to_proto,
    filter_from_proto,
    recording_to_proto,
    stored_call_event,
    totals_to_proto,
    transcription_to_proto,
)
from services.calllog.servicer.deliveries import Deliveries
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.call_list import CALL_LIST, CallList
from services.calllog.storage.calls import Calls, call_not_found, check_call_version
from services.calllog.storage.recordings import Recordings

EDITABLE: Editable[Call] = Editable({"tags": "tags"})
# Calls per page for billing's reconciliation.
_MAX_BILLABLE = 1_000
_ALL_TIME = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class CallLogServicer(calllog_pb2_grpc.CallLogServiceServicer):
    def __init__(
        self,
        database: Database,
        calls: Calls,
        call_list: CallList,
        recordings: Recordings,
        analytics: Analytics,
        blobs: BlobStore,
        clock: Clock,
        deliveries: Deliveries,
    ) -> None:
        self._database = database
        self._calls = calls
        self._list = call_list
        self._recordings = recordings
        self._analytics = analytics
        self._blobs = blobs
        self._clock = clock
        self._deliveries = deliveries
        self._delegations = Delegations()

    async def ListCalls(self, request: calllog_pb2.ListCallsRequest, context: object) -> calllog_pb2.ListCallsResponse:
        principal = require_scope("calls:read")
        wanted = page_request_from_proto(request.page, CALL_LIST)
        asked = replace(filter_from_proto(request), agent_ids=principal.readable_ids)
        if request.page.json_rows:
            shown = await self._list.shown_page(principal.org_id, wanted, asked)
            return calllog_pb2.ListCallsResponse(page_info=json_page(shown, shown.items))
        page = await self._list.page(principal.org_id, wanted, asked)
        return calllog_pb2.ListCallsResponse(calls=map(call_to_proto, page.items), page_info=page_info_to_proto(page))

    async def GetCall(self, request: calllog_pb2.GetCallRequest, context: object) -> calllog_pb2.GetCallResponse:
        return calllog_pb2.GetCallResponse(call=await self._whole_call(require_scope("calls:read"), request.id))

    async def UpdateCall(
        self, request: calllog_pb2.UpdateCallRequest, context: object
    ) -> calllog_pb2.UpdateCallResponse:
        principal = require_scope("calls:write")
        org_id = principal.org_id
        edit = EDITABLE.read(request.update_mask)
        if not is_id(request.call.id, "call"):
            raise call_not_found()
        tags = checked_tags(request.call.tags) if edit else ()
        expected = request.expected_version if request.HasField("expected_version") else None

        async def act(conn: Connection) -> calllog_pb2.UpdateCallResponse:
            call = await self._calls.lock_by_id(conn, org_id, request.call.id)
            principal.require_writable(call.agent_id or "", call_not_found())
            check_call_version(call, expected)
            edited = edit.merge(call, replace(call, tags=tags))
            if edited != call:
                edited = await self._calls.save_tags(conn, edited, self._clock.now())
                await append(conn, stored_call_event("call.updated", edited))
            return calllog_pb2.UpdateCallResponse(call=call_to_proto(edited))

        await run_write(self._database, org_id, act, calllog_pb2.UpdateCallResponse)
        return calllog_pb2.UpdateCallResponse(call=await self._whole_call(principal, request.call.id))

    async def ReceiveProviderWebhook(
        self, request: calllog_pb2.ReceiveProviderWebhookRequest, context: object
    ) -> calllog_pb2.ReceiveProviderWebhookResponse:
        require_service()
        return calllog_pb2.ReceiveProviderWebhookResponse(duplicate=await self._deliveries.receive(request))

    async def ReceiveProviderWebhooks(
        self, request: calllog_pb2.ReceiveProviderWebhooksRequest, context: object
    ) -> calllog_pb2.ReceiveProviderWebhooksResponse:
        require_service()
        outcomes = await self._deliveries.receive_together(request.deliveries)
        return calllog_pb2.ReceiveProviderWebhooksResponse(outcomes=outcomes)

    async def StreamProviderWebhook(
        self, requests: AsyncIterator[calllog_pb2.StreamProviderWebhookRequest], context: object
    ) -> calllog_pb2.StreamProviderWebhookResponse:
        require_service()
        return calllog_pb2.StreamProviderWebhookResponse(duplicate=await self._deliveries.receive_stream(requests))

    async def GetOrganizationAnalytics(
        self, request: calllog_pb2.GetOrganizationAnalyticsRequest, context: object
    ) -> calllog_pb2.GetOrganizationAnalyticsResponse:
        principal = require_scope("calls:read")
        org_id, agents = principal.org_id, principal.readable_ids
        start, end = from_timestamp(request, "from_time"), from_timestamp(request, "to_time")
        check_window(start, end)
        if start is None and end is None:
            totals = await self._analytics.all_time(org_id, agents)
        else:
            totals = await self._analytics.window(org_id, Window(start or _ALL_TIME[0], end or _ALL_TIME[1]), agents)
        message = totals_to_proto(totals)
        synced_at = await self._analytics.synced_at(org_id)
        if synced_at is not None:
            message.last_sync_time.FromDatetime(synced_at)
        return message

    async def GetAnalyticsTimeseries(
        self, request: calllog_pb2.GetAnalyticsTimeseriesRequest, context: object
    ) -> calllog_pb2.GetAnalyticsTimeseriesResponse:
        principal = require_scope("calls:read")
        start, end = from_timestamp(request, "from_time"), from_timestamp(request, "to_time")
        if start is None or end is None:
            raise invalid_parameter("from", "Set from and to.")
        check_window(start, end)
        interval = request.interval or "day"
        starts = list(bucket_starts(start, end, interval))
        known = await self._analytics.series(
            principal.org_id, interval, start, end, request.agent_id, principal.readable_ids
        )
        return calllog_pb2.GetAnalyticsTimeseriesResponse(buckets=map(bucket_to_proto, fill(starts, known)))

    async def DownloadRecording(
        self, request: calllog_pb2.DownloadRecordingRequest, context: object
    ) -> AsyncIterator[calllog_pb2.DownloadRecordingResponse]:
        recording = await self._available_recording(require_scope("calls:read"), request.call_id)
        start, end = _checked_range(request, recording)
        yield calllog_pb2.DownloadRecordingResponse(recording=recording_to_proto(recording))
        async for chunk in self._blobs.stream(recording.blob_key, start, end):
            yield calllog_pb2.DownloadRecordingResponse(data=chunk)

    async def GetTranscription(
        self, request: calllog_pb2.GetTranscriptionRequest, context: object
    ) -> calllog_pb2.GetTranscriptionResponse:
        principal = require_scope("calls:read")
        org_id = principal.org_id
        if not is_id(request.call_id, "call"):
            raise call_not_found()
        await self._require_readable(principal, request.call_id)
        heard = await self._recordings.transcription_of_call(org_id, request.call_id)
        if heard is None:
            await self._calls.get(org_id, request.call_id)  # a call that is not there is refused as such
            raise NotFound("transcription_not_found", "This call has no recording, so nothing was transcribed.")
        return calllog_pb2.GetTranscriptionResponse(transcription=transcription_to_proto(heard))

    async def ListBillableCalls(
        self, request: calllog_pb2.ListBillableCallsRequest, context: object
    ) -> calllog_pb2.ListBillableCallsResponse:
        await self._delegations.require(request.organization_id)
        start, end = from_timestamp(request, "from_time"), from_timestamp(request, "to_time")
        limit = min(request.limit or _MAX_BILLABLE, _MAX_BILLABLE)
        async with self._database.transaction(request.organization_id) as conn:
            found = await self._calls.billable(
                conn, request.organization_id, start or _ALL_TIME[0], end or _ALL_TIME[1], request.after_id, limit + 1
            )
        return calllog_pb2.ListBillableCallsResponse(
            calls=map(billable_to_proto, found[:limit]), has_more=len(found) > limit
        )

    async def _whole_call(self, principal: Principal, call_id: str) -> calllog_pb2.Call:
        """With transcript and recording."""
        if not is_id(call_id, "call"):
            raise call_not_found()
        org_id = principal.org_id
        call = await self._calls.get(org_id, call_id)
        principal.require_readable(call.agent_id or "", call_not_found())
        return call_to_proto(replace(call, recording=await self._recordings.of_call(org_id, call_id)))

    async def _require_readable(self, principal: Principal, call_id: str) -> None:
        """Where the caller is limited to some agents, the call is of one of them."""
        if principal.grants is not None:
            call = await self._calls.head(principal.org_id, call_id)
            principal.require_readable(call.agent_id or "", call_not_found())

    async def _available_recording(self, principal: Principal, call_id: str) -> Recording:
        recording = None
        if is_id(call_id, "call"):
            await self._require_readable(principal, call_id)
            recording = await self._recordings.of_call(principal.org_id, call_id)
        if recording is None or recording.status in ("unavailable", "failed"):
            raise NotFound("recording_not_found", "This call has no recording.")
        if recording.status == "pending":
            raise FailedPrecondition("recording_pending", "The recording is being fetched. Ask again in a minute.")
        return recording


def _checked_range(request: calllog_pb2.DownloadRecordingRequest, recording: Recording) -> tuple[int, int]:
    """The half-open range inside the recording; the end may lie past it."""
    end = min(request.range_end or recording.byte_size, recording.byte_size)
    if not 0 <= request.range_start < end:
        raise OutOfRange(
            "range_not_satisfiable",
            "Ask for a range inside the recording.",
            metadata={"byte_size": str(recording.byte_size)},
        )
    return request.range_start, end

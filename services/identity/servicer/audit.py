"""The audit log: read by who has the scope; written by the event of each write alone."""

from __future__ import annotations

from echosenseix.identity.v1 import audit_pb2, audit_pb2_grpc
from libs.rpc.context import require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from services.identity.mapping.audit import entry_to_proto, seal_to_proto
from services.identity.storage.audit import AUDIT_LIST, SEAL_LIST, AuditFilter, AuditLog
from suite.services import AUDIT_READ


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """AuditService."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def ListAuditLogs(
        self, request: audit_pb2.ListAuditLogsRequest, context: object
    ) -> audit_pb2.ListAuditLogsResponse:
        principal = require_scope(AUDIT_READ)
        wanted = AuditFilter(
            actor_id=request.actor_id,
            action=request.action,
            target_id=request.target_id,
            request_id=request.request_id,
        )
        page = await self._log.page(principal.org_id, page_request_from_proto(request.page, AUDIT_LIST), wanted)
        return audit_pb2.ListAuditLogsResponse(
            audit_logs=map(entry_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def GetAuditLog(
        self, request: audit_pb2.GetAuditLogRequest, context: object
    ) -> audit_pb2.GetAuditLogResponse:
        entry = await self._log.get(require_scope(AUDIT_READ).org_id, request.id)
        return audit_pb2.GetAuditLogResponse(audit_log=entry_to_proto(entry))

    async def ListAuditSeals(
        self, request: audit_pb2.ListAuditSealsRequest, context: object
    ) -> audit_pb2.ListAuditSealsResponse:
        principal = require_scope(AUDIT_READ)
        page = await self._log.seals(principal.org_id, page_request_from_proto(request.page, SEAL_LIST))
        return audit_pb2.ListAuditSealsResponse(
            audit_seals=map(seal_to_proto, page.items), page_info=page_info_to_proto(page)
        )

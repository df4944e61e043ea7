"""The audit log: every write of the organization, newest first, and the seals of its hash chain."""

from starlette.responses import Response

from echosenseix.identity.v1 import audit_pb2 as pb
from gateway.http import lists, responses
from gateway.http.derived import fill
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.audit_logs import (
    AuditLog,
    AuditLogEntry,
    AuditLogQuery,
    AuditSeal,
    AuditSealQuery,
    audit_log_entry_from_proto,
    audit_log_from_proto,
    audit_seal_from_proto,
)
from gateway.state import ApiRequest
from suite.services import AUDIT_READ


async def list_audit_logs(request: ApiRequest[AuditLogQuery, NoBody]) -> Response:
    """A write is listed within a few seconds, without its changes."""
    message = pb.ListAuditLogsRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.audit.ListAuditLogs(message)
    return lists.page_response(request, answer.audit_logs, answer.page_info, audit_log_from_proto)


async def get_audit_log(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.audit.GetAuditLog(pb.GetAuditLogRequest(id=request.id))
    return responses.ok(audit_log_entry_from_proto(answer.audit_log))


async def list_audit_seals(request: ApiRequest[AuditSealQuery, NoBody]) -> Response:
    """Writes are sealed each minute. Who keeps a hash elsewhere can prove later that nothing before it was changed."""
    answer = await request.app.clients.audit.ListAuditSeals(
        pb.ListAuditSealsRequest(page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.audit_seals, answer.page_info, audit_seal_from_proto)


ROUTES = tagged(
    "Audit log",
    Route(
        "GET",
        "/api/audit-logs",
        list_audit_logs,
        "List the organization's writes",
        scope=AUDIT_READ,
        query=AuditLogQuery,
        answer=list[AuditLog],
    ),
    Route(
        "GET",
        "/api/audit-logs/{id}",
        get_audit_log,
        "Read a write with what it changed",
        scope=AUDIT_READ,
        answer=AuditLogEntry,
    ),
    Route(
        "GET",
        "/api/audit-seals",
        list_audit_seals,
        "List the seals of the audit log",
        scope=AUDIT_READ,
        query=AuditSealQuery,
        answer=list[AuditSeal],
    ),
)

"""Entries and seals of the audit log, from events and to protos."""

from __future__ import annotations

import json

from echosenseix.events.v1 import events_pb2
from echosenseix.identity.v1 import audit_pb2
from libs.events import ReceivedEvent
from libs.rpc.times import to_timestamp
from services.identity.domain.audit import AuditEntry, AuditSeal


def entry_from_event(event: ReceivedEvent) -> AuditEntry:
    """The number is given when it is added. What a request made is its target."""
    told = event.read(events_pb2.AuditRecorded)
    changes = f"[{told.changes}]" if told.changes else ""
    return AuditEntry(
        org_id=event.org_id,
        number=0,
        id=told.audit_id,
        created_at=event.time,
        action=told.action,
        target_id=told.target_id or _made(changes),
        user_id=told.user_id,
        session_id=told.session_id,
        api_key_id=told.api_key_id,
        role=told.role,
        service=event.source.rpartition("/")[2],
        ip_address=told.client_address,
        request_id=told.request_id,
        changes=changes,
    )


def _made(changes: str) -> str:
    """The id of the first row that was written; empty when none was."""
    rows = json.loads(changes) if changes else []
    return str(rows[0]["id"] or "") if rows else ""


def entry_to_proto(entry: AuditEntry) -> audit_pb2.AuditLog:
    return audit_pb2.AuditLog(
        id=entry.id,
        number=entry.number,
        create_time=to_timestamp(entry.created_at),
        action=entry.action,
        target_id=entry.target_id,
        user_id=entry.user_id,
        session_id=entry.session_id,
        api_key_id=entry.api_key_id,
        role=entry.role,
        ip_address=entry.ip_address,
        request_id=entry.request_id,
        service=entry.service,
        changes=entry.changes,
    )


def seal_to_proto(seal: AuditSeal) -> audit_pb2.AuditSeal:
    return audit_pb2.AuditSeal(
        number=seal.number,
        first_number=seal.first_number,
        last_number=seal.last_number,
        previous_hash=seal.previous_hash,
        hash=seal.hash,
        create_time=to_timestamp(seal.created_at),
    )

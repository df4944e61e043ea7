"""The audit log as the API shows it."""

import json
from typing import Annotated, Any, Literal

from msgspec import Meta

from echosenseix.identity.v1 import audit_pb2 as pb
from gateway.http.derived import reader
from gateway.http.schema import SORT, Answer, ListQuery

Filter = Annotated[str, Meta(min_length=1, max_length=128)]


class AuditLog(Answer):
    """One write. `targetId` is what the path named, or what was made."""

    id: str
    number: Annotated[int, Meta(description="Counts the organization's writes from 1, without a gap.")]
    action: Annotated[str, Meta(description="The operationId of the request.")]
    target_id: Annotated[str | None, Meta(description="What was written.")]
    user_id: Annotated[str | None, Meta(description="The user who acted; of a key, the user who made it.")]
    session_id: Annotated[str | None, Meta(description="The session that acted.")]
    api_key_id: Annotated[str | None, Meta(description="The API key that acted.")]
    role: Annotated[str | None, Meta(description="The role of the user at that time.")]
    ip_address: str | None
    request_id: Annotated[str, Meta(description="The X-Request-Id of the request.")]
    service: str
    created_at: str | None


class AuditLogEntry(AuditLog):
    """With what was changed."""

    changes: Annotated[
        list[dict[str, Any]],
        Meta(description="By row: table, operation, id, and the columns that differ, before and after."),
    ]


class AuditSeal(Answer):
    """One link of the hash chain."""

    number: Annotated[int, Meta(description="Counts the seals from 1.")]
    first_number: Annotated[int, Meta(description="The first write that it covers.")]
    last_number: Annotated[int, Meta(description="The last write that it covers.")]
    previous_hash: Annotated[str, Meta(description="The hash of the seal before it; zeros before the first.")]
    hash: Annotated[str, Meta(description="SHA-256 over the previous hash and every covered write.")]
    created_at: str | None


class AuditLogQuery(ListQuery):
    sort: Annotated[Literal["createdAt"], SORT] | None = None
    actor_id: (
        Annotated[Filter, Meta(description="Writes of this user, also with API keys of theirs, or of this API key.")]
        | None
    ) = None
    action: Annotated[Filter, Meta(description="Writes by this operationId.")] | None = None
    target_id: Annotated[Filter, Meta(description="Writes to this thing.")] | None = None
    request_id: Annotated[Filter, Meta(description="Writes of this request.")] | None = None


class AuditSealQuery(ListQuery):
    sort: Annotated[Literal["createdAt"], SORT] | None = None


audit_log_from_proto = reader(AuditLog, pb.AuditLog)
audit_seal_from_proto = reader(AuditSeal, pb.AuditSeal)
audit_log_entry_from_proto = reader(
    AuditLogEntry, pb.AuditLog, changes=lambda message: json.loads(message.changes) if message.changes else []
)

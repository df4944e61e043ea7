"""The jobs that methods and other jobs make, and the policies that the jobs' rows and their handlers share."""

from __future__ import annotations

from collections.abc import Sequence

from libs.jobs import JobPolicy, Lane, enqueue
from libs.postgres import Connection
from services.knowledge.domain.entry import Entry

SERVICE = "knowledge"
PROCESS = "document.process"
PROCESS_POLICY = JobPolicy(queue="documents", timeout_seconds=1800)
DELETE_BLOBS = "blob.delete"
DELETE_BLOBS_POLICY = JobPolicy(max_attempts=10)


async def enqueue_build(
    conn: Connection, entry: Entry, document_id: str = "", lane: Lane | str = PROCESS_POLICY.lane
) -> str:
    """Have the entry's index built from the document, or from the entry's own text when there is none."""
    return await enqueue(
        conn, service=SERVICE, kind=PROCESS, queue=PROCESS_POLICY.queue, max_attempts=PROCESS_POLICY.max_attempts,
        lane=lane, org_id=entry.org_id, args={"entryId": entry.id, "documentId": document_id},
    )  # fmt: skip


async def enqueue_blob_deletion(conn: Connection, org_id: str, keys: Sequence[str]) -> None:
    """Have the blobs removed once the rows that named them are gone."""
    if keys:
        await enqueue(
            conn, service=SERVICE, kind=DELETE_BLOBS, queue=DELETE_BLOBS_POLICY.queue,
            max_attempts=DELETE_BLOBS_POLICY.max_attempts, org_id=org_id, args={"keys": list(keys)},
        )  # fmt: skip

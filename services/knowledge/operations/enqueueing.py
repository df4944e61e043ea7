"""The service's kinds of jobs, and how its methods and jobs enqueue them."""

from __future__ import annotations

from collections.abc import Sequence

from libs.jobs import JobKind, Lane
from libs.postgres import Connection
from services.knowledge.domain.entry import Entry

SERVICE = "knowledge"
PROCESS = JobKind("document.process", service=SERVICE, queue="documents", timeout_seconds=1800)
DELETE_BLOBS = JobKind("blob.delete", service=SERVICE, max_attempts=10)
RECONCILE = JobKind("document.reconcile", service=SERVICE)
REFRESH = JobKind("index.refresh", service=SERVICE)
# One refresh of a source at a time: a second request while one waits or runs is the same job.
SOURCE_REFRESH = JobKind(
    "source.refresh", service=SERVICE, queue="sources", timeout_seconds=1800, unique_by=("sourceId",)
)
SOURCE_SCHEDULE = JobKind("source.schedule", service=SERVICE)
SWEEP = JobKind("index.sweep", service=SERVICE)


async def enqueue_build(conn: Connection, entry: Entry, document_id: str = "", lane: Lane | None = None) -> str:
    """Have the entry's index built from the document, or from the entry's own text when there is none."""
    return await PROCESS.enqueue(conn, entry.org_id, {"entryId": entry.id, "documentId": document_id}, lane=lane)


async def enqueue_blob_deletion(conn: Connection, org_id: str, keys: Sequence[str]) -> None:
    """Have the blobs removed once the rows that named them are gone."""
    if keys:
        await DELETE_BLOBS.enqueue(conn, org_id, {"keys": list(keys)})

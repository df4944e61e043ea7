"""The events this service writes, built from domain values. Topics are declared in libs.events.topics."""

from __future__ import annotations

from echosenseix.events.v1 import events_pb2
from libs.events import Event
from services.knowledge.domain.entry import Document, Entry


def entry_event(topic: str, entry: Entry) -> Event:
    changed = events_pb2.EntryChanged(
        entry_id=entry.id, title=entry.title, status=entry.status.value, version=entry.version
    )
    return Event(topic=topic, org_id=entry.org_id, key=entry.id, data=changed)


def document_event(topic: str, document: Document, title: str) -> Event:
    """Keyed by the entry, so that what happens to one entry is heard in order."""
    changed = events_pb2.DocumentChanged(
        document_id=document.id,
        entry_id=document.entry_id,
        job_id=document.job_id,
        status=document.status.value,
        chunks=document.chunk_count,
        error_code=document.error_code,
        title=title,
    )
    return Event(topic=topic, org_id=document.org_id, key=document.entry_id, data=changed, subject=document.id)

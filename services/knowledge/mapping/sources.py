"""Sources: messages from values, and values from messages."""

from __future__ import annotations

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.rpc.masks import Editable
from libs.rpc.times import to_timestamp
from services.knowledge.domain.source import Kind, Source, State

_STATES = {
    State.PENDING: pb.SOURCE_STATUS_PENDING,
    State.CURRENT: pb.SOURCE_STATUS_CURRENT,
    State.FAILED: pb.SOURCE_STATUS_FAILED,
}
KINDS = {pb.SOURCE_KIND_UNSPECIFIED: Kind.URL, pb.SOURCE_KIND_URL: Kind.URL, pb.SOURCE_KIND_SITEMAP: Kind.SITEMAP}
EDITABLE_SOURCE: Editable[Source] = Editable(
    {"title": "title", "category": "category", "tags": "tags", "refresh_interval_seconds": "refresh_seconds"}
)


def source_to_proto(source: Source) -> pb.Source:
    return pb.Source(
        id=source.id,
        kind=pb.SOURCE_KIND_SITEMAP if source.kind is Kind.SITEMAP else pb.SOURCE_KIND_URL,
        url=source.url,
        title=source.title,
        category=source.category,
        tags=source.tags,
        refresh_interval_seconds=source.refresh_seconds,
        status=_STATES[source.status],
        error_code=source.error_code,
        error_message=source.error_message,
        page_count=source.page_count,
        stale_since=to_timestamp(source.stale_since) if source.stale_since else None,
        check_time=to_timestamp(source.checked_at) if source.checked_at else None,
        change_time=to_timestamp(source.changed_at) if source.changed_at else None,
        next_refresh_time=to_timestamp(source.next_refresh_at) if source.next_refresh_at else None,
        version=source.version,
        create_time=to_timestamp(source.created_at),
        update_time=to_timestamp(source.updated_at),
    )

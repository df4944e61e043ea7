"""Sources of knowledge as the API shows and takes them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http.derived import patch_of
from gateway.http.schema import Answer, Body, CreatedListQuery, limits
from gateway.http.wire import time_to_json
from gateway.schemas.knowledge import Category, Failure
from gateway.schemas.shapes import Tags

KindName = Literal["url", "sitemap"]
SourceStatus = Literal["pending", "current", "failed"]
KINDS: dict[str, pb.SourceKind.ValueType] = {"url": pb.SOURCE_KIND_URL, "sitemap": pb.SOURCE_KIND_SITEMAP}
_STATUS_NAMES: dict[int, SourceStatus] = {
    pb.SOURCE_STATUS_PENDING: "pending",
    pb.SOURCE_STATUS_CURRENT: "current",
    pb.SOURCE_STATUS_FAILED: "failed",
}
Refresh = Annotated[
    int, Meta(description="Seconds between refreshes; null: by request alone."), limits(minimum=300, maximum=2_592_000)
]


class Source(Answer):
    id: str
    kind: KindName
    url: str
    title: str | None
    category: str | None
    tags: list[str]
    refresh_interval_seconds: int | None
    status: SourceStatus | None
    error: Failure | None
    page_count: int
    # The first failed refresh since the last good one; null while the entries are what the address says.
    stale_since: str | None
    checked_at: str | None
    changed_at: str | None
    next_refresh_at: str | None
    version: int
    created_at: str | None
    updated_at: str | None


class NewSource(Source):
    """The answer to a creation: the source, and the job that reads it."""

    job_id: str | None


class SourceRefresh(Answer):
    job_id: str


class SourceDescription(Body):
    title: Annotated[str, limits(maxLength=200)] | None = None
    category: Category | None = None
    tags: Tags | None = None
    refresh_interval_seconds: Refresh | None = None


class SourceBody(SourceDescription, kw_only=True):
    url: Annotated[str, limits(minLength=1, maxLength=2000)]
    kind: KindName | None = None


SourcePatch = patch_of("SourcePatch", SourceDescription)


class SourceQuery(CreatedListQuery):
    status: SourceStatus | None = None


PATCHED = {name: name for name in ("title", "category", "tags", "refresh_interval_seconds")}


def source_from_proto(source: pb.Source) -> Source:
    return Source(
        id=source.id,
        kind="sitemap" if source.kind == pb.SOURCE_KIND_SITEMAP else "url",
        url=source.url,
        title=source.title or None,
        category=source.category or None,
        tags=list(source.tags),
        refresh_interval_seconds=source.refresh_interval_seconds or None,
        status=_STATUS_NAMES.get(source.status),
        error=Failure(code=source.error_code, message=source.error_message) if source.error_code else None,
        page_count=source.page_count,
        stale_since=time_to_json(source.stale_since),
        checked_at=time_to_json(source.check_time),
        changed_at=time_to_json(source.change_time),
        next_refresh_at=time_to_json(source.next_refresh_time),
        version=source.version,
        created_at=time_to_json(source.create_time),
        updated_at=time_to_json(source.update_time),
    )


def new_source_from_proto(answer: pb.CreateSourceResponse) -> NewSource:
    source = source_from_proto(answer.source)
    return NewSource(**msgspec.structs.asdict(source), job_id=answer.job_id or None)

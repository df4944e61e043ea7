"""Entries of plain text: created, listed, changed, counted; each organization for itself."""

from __future__ import annotations

from typing import Any

import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.postgres import count_statements
from services.knowledge.embed.models import DEFAULT

from .conftest import Service, as_org


async def test_a_text_entry_is_indexed_like_a_document(service: Service, org: str) -> None:
    made = await service.create(org, "Returns", "## Deadline\n\nSend goods back within thirty days.", category="shop")

    entry = await service.until_settled(org, made.entry.id)

    assert (entry.status, entry.chunk_count, entry.document_id) == (pb.DOCUMENT_STATUS_COMPLETED, 1, "")
    assert entry.content.startswith("## Deadline")
    assert (await service.until_job_ended(made.job_id))["state"] == "completed"
    hit = (await service.search(org, "How long may a customer wait before returning something?")).hits[0]
    assert (hit.heading, hit.title, hit.document_id) == ("Deadline", "Returns", "")
    assert await service.events(org) == ["entry.created", "entry.updated"]


async def test_new_text_is_indexed_again(service: Service, org: str) -> None:
    made = await service.create(org, "Returns", "Within thirty days.")
    entry = await service.until_settled(org, made.entry.id)

    changed = await _update(service, org, entry, ["content", "title"], title="New rules", content="Within sixty days.")
    assert (changed.title, changed.status) == ("New rules", pb.DOCUMENT_STATUS_PROCESSING)
    settled = await service.until_settled(org, entry.id)

    assert (settled.index_version, settled.version) == (2, changed.version + 1)
    assert [hit.text for hit in (await service.search(org, "days")).hits] == ["Within sixty days."]


async def test_an_update_changes_only_what_it_names(service: Service, org: str) -> None:
    made = await service.create(org, "Returns", "Within thirty days.", category="shop", tags=["x"])
    entry = await service.until_settled(org, made.entry.id)

    changed = await _update(service, org, entry, ["tags"], tags=["y", "z"], title="ignored")
    same = await _update(service, org, changed, [], title="ignored")
    with pytest.raises(FailedPrecondition) as stale:
        await _update(service, org, entry, ["title"], title="Late")
    with pytest.raises(InvalidArgument) as locked:
        await _update(service, org, changed, ["chunk_count"])

    assert (changed.title, list(changed.tags), changed.version) == ("Returns", ["y", "z"], entry.version + 1)
    assert same.version == changed.version
    assert stale.value.reason == "stale_version"
    assert [found.pointer for found in locked.value.violations] == ["#/chunkCount"]


async def test_what_is_wrong_is_told_at_once(service: Service, org: str) -> None:
    with pytest.raises(InvalidArgument) as described:
        await service.create(org, " ", "text", tags=["", "x" * 51], category="c" * 101)
    with pytest.raises(InvalidArgument) as empty:
        await service.create(org, "Title", " ** ")

    pointers = [found.pointer for found in described.value.violations]
    assert pointers == ["#/title", "#/category", "#/tags/0", "#/tags/1"]
    assert [found.pointer for found in empty.value.violations] == ["#/content"]


async def test_lists_filter_sort_and_page(service: Service, org: str) -> None:
    for number, (title, category, tags) in enumerate(
        [("Alpha shipping", "a", ["red"]), ("Beta returns", "b", ["red", "blue"]), ("Gamma shipping", "b", ["blue"])]
    ):
        made = await service.create(org, title, f"Text {number}.", category=category, tags=tags)
        await service.until_settled(org, made.entry.id)

    assert await _titles(service, org) == ["Gamma shipping", "Beta returns", "Alpha shipping"]
    assert await _titles(service, org, search="ship") == ["Gamma shipping", "Alpha shipping"]
    assert await _titles(service, org, category="b") == ["Gamma shipping", "Beta returns"]
    assert await _titles(service, org, tags=["red", "blue"]) == ["Beta returns"]
    assert await _titles(service, org, status=pb.DOCUMENT_STATUS_FAILED) == []
    by_title = common_pb2.PageRequest(sort="title", order="asc", limit=2)
    assert await _titles(service, org, page=by_title) == ["Alpha shipping", "Beta returns"]
    first = await _list(service, org, page=common_pb2.PageRequest(cursor_mode=True, limit=2))
    rest = await _list(service, org, page=common_pb2.PageRequest(cursor=first.page_info.next_cursor, limit=2))
    assert [entry.title for entry in (*first.entries, *rest.entries)] == [
        "Gamma shipping", "Beta returns", "Alpha shipping",
    ]  # fmt: skip
    assert all(not entry.content for entry in first.entries)


async def test_a_list_with_its_total_takes_one_statement_as_a_read_does(service: Service, org: str) -> None:
    made = await service.create(org, "Alpha", "Text.")
    await service.until_settled(org, made.entry.id)

    with count_statements() as listing:
        await _list(service, org)
    with count_statements() as reading:
        await service.entry(org, made.entry.id)
    await service.search(org, "text")
    with count_statements() as searching:
        await service.search(org, "text")

    assert _own(listing.statements) == 1
    assert _own(reading.statements) == 1
    assert _own(searching.statements) == 1


async def test_statistics_count_the_organizations_own(service: Service, org: str) -> None:
    made = await service.create(org, "Alpha", "Four words of text.")
    await service.until_settled(org, made.entry.id)
    upload = await service.upload(org, b"Some more words.", "a.txt")
    await service.until_settled(org, upload.entry_id)

    with as_org(org):
        stats = await service.servicer.GetStats(pb.GetStatsRequest(), None)

    assert (stats.entries, stats.documents, stats.chunks, stats.bytes) == (2, 1, 2, 19 + 16)
    assert (stats.processing, stats.failed, stats.embedding_model) == (0, 0, DEFAULT.name)


async def test_entries_of_others_and_missing_scopes_are_refused(service: Service, org: str) -> None:
    made = await service.create("org_other", "Alpha", "Text.")

    with pytest.raises(NotFound) as foreign:
        await service.entry(org, made.entry.id)
    with pytest.raises(NotFound) as absent:
        await service.entry(org, "kbe_00000000000000000000000000")
    with as_org(org, scopes=("knowledge:read",)), pytest.raises(PermissionDenied):
        await service.servicer.CreateEntry(pb.CreateEntryRequest(entry=pb.Entry(title="a", content="b")), None)

    assert str(foreign.value) == str(absent.value)


async def _update(service: Service, org: str, entry: pb.Entry, paths: list[str], **fields: Any) -> pb.Entry:
    request = pb.UpdateEntryRequest(entry=pb.Entry(id=entry.id, **fields), expected_version=entry.version)
    request.update_mask.paths.extend(paths)
    with as_org(org):
        return (await service.servicer.UpdateEntry(request, None)).entry


async def _list(service: Service, org: str, **fields: Any) -> pb.ListEntriesResponse:
    with as_org(org):
        return await service.servicer.ListEntries(pb.ListEntriesRequest(**fields), None)


async def _titles(service: Service, org: str, **fields: Any) -> list[str]:
    return [entry.title for entry in (await _list(service, org, **fields)).entries]


def _own(statements: list[str]) -> int:
    """Statements of the request: those behind the tenant fence (the worker of this process sends others)."""
    return sum("set_config('app.org'" in statement for statement in statements)

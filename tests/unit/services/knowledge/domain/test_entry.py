from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libs.errors import FailedPrecondition
from services.knowledge.domain import entry as entries
from services.knowledge.domain.entry import BuiltIndex, Described, Status, Upload
from services.knowledge.domain.media import PDF

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
UPLOAD = Upload("doc_1", "a.pdf", PDF, 10, "hash", "org/doc_1/original")
BUILT = BuiltIndex("job_1.try_1", 7, 3, "model", "en", "en")


def fresh() -> entries.Entry:
    return entries.new_entry("org_1", "kbe_1", Described("Title"), NOW)


def test_a_first_document_is_shown_at_once_and_searched_after_the_swap() -> None:
    waiting = entries.take_document(fresh(), UPLOAD, "job_1", NOW)
    done = entries.swap_index(waiting, entries.new_document(waiting, UPLOAD, "job_1", NOW), BUILT, LATER)

    assert (waiting.status, waiting.document_id, waiting.source, waiting.index_id) == (
        Status.PROCESSING, "doc_1", "a.pdf", "",
    )  # fmt: skip
    assert (done.status, done.index_id, done.index_version, done.chunk_count) == (
        Status.COMPLETED, BUILT.index_id, 1, 7,
    )  # fmt: skip
    assert (done.version, done.updated_at) == (waiting.version + 1, LATER)


def test_a_second_document_shows_only_after_its_swap_and_its_failure_changes_nothing() -> None:
    first = entries.take_document(fresh(), UPLOAD, "job_1", NOW)
    first = entries.swap_index(first, entries.new_document(first, UPLOAD, "job_1", NOW), BUILT, NOW)
    other = Upload("doc_2", "b.pdf", PDF, 20, "other", "org/doc_2/original")

    waiting = entries.take_document(first, other, "job_2", LATER)
    failed = entries.fail_entry(waiting, "document_corrupt", "Damaged.", LATER)
    swapped = entries.swap_index(waiting, entries.new_document(waiting, other, "job_2", NOW), BUILT, LATER)

    assert (waiting.status, waiting.document_id, waiting.wanted_build) == (Status.PROCESSING, "doc_1", "job_2")
    assert (failed.status, failed.document_id, failed.error_code) == (Status.COMPLETED, "doc_1", "document_corrupt")
    assert (swapped.document_id, swapped.source, swapped.byte_size, swapped.index_version) == ("doc_2", "b.pdf", 20, 2)


def test_an_entry_that_never_was_searchable_fails() -> None:
    assert entries.fail_entry(fresh(), "code", "why", NOW).status is Status.FAILED


def test_text_and_document_do_not_mix() -> None:
    text = entries.take_content(fresh(), "Some text.", "job_1", NOW)
    document = entries.take_document(fresh(), UPLOAD, "job_1", NOW)

    with pytest.raises(FailedPrecondition):
        entries.take_document(text, UPLOAD, "job_2", NOW)
    with pytest.raises(FailedPrecondition):
        entries.take_content(document, "Text.", "job_2", NOW)


def test_the_same_words_change_nothing() -> None:
    entry = fresh()

    assert entries.describe(entry, Described("Title"), LATER) is entry
    assert entries.describe(entry, Described("Other"), LATER).version == entry.version + 1


def test_a_stale_version_is_refused() -> None:
    entries.check_version(fresh(), None)
    entries.check_version(fresh(), 1)
    with pytest.raises(FailedPrecondition):
        entries.check_version(fresh(), 2)

"""The sample document and its paraphrase questions: found by the real model on the real database."""

from __future__ import annotations

import json
from typing import Any

import pytest_asyncio

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.ids import new_id

from .conftest import SAMPLES, Service

QUESTIONS: list[dict[str, Any]] = json.loads((SAMPLES / "questions.json").read_text("utf-8"))["questions"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sample(service: Service) -> tuple[str, pb.Entry]:
    """The organization and the entry of the indexed sample."""
    org = new_id("org")
    content = (SAMPLES / "americas.pdf").read_bytes()
    response = await service.upload(org, content, "americas.pdf")
    return org, await service.until_settled(org, response.entry_id)


async def test_the_sample_is_indexed_with_its_pages(service: Service, sample: tuple[str, pb.Entry]) -> None:
    org, entry = sample

    assert entry.status == pb.DOCUMENT_STATUS_COMPLETED, entry.error_code
    assert (entry.page_count, entry.index_version) == (51, 1)
    assert entry.chunk_count > 60
    document = await service.document(org, entry.document_id)
    assert (document.progress, document.processed_pages, document.total_pages) == (100, 51, 51)


def test_there_are_twenty_questions_whose_passages_exist() -> None:
    text = " ".join((SAMPLES / "americas.md").read_text("utf-8").split())

    assert len(QUESTIONS) == 20
    assert all(phrase in text for question in QUESTIONS for phrase in question["expected"])


async def test_hybrid_answers_paraphrases_better_than_keyword(service: Service, sample: tuple[str, pb.Entry]) -> None:
    org, _ = sample

    ranks = {
        mode: [await _rank(service, org, question, mode) for question in QUESTIONS]
        for mode in (pb.SEARCH_MODE_HYBRID, pb.SEARCH_MODE_KEYWORD)
    }
    hit_at_3 = {mode: sum(rank <= 3 for rank in found) for mode, found in ranks.items()}

    assert hit_at_3[pb.SEARCH_MODE_HYBRID] >= 16, ranks
    assert hit_at_3[pb.SEARCH_MODE_HYBRID] > hit_at_3[pb.SEARCH_MODE_KEYWORD], ranks


async def test_a_hit_names_its_page_heading_source_and_marks_the_words(
    service: Service, sample: tuple[str, pb.Entry]
) -> None:
    org, entry = sample

    answer = await service.search(org, "Which country has the tallest falls on Earth?", max_results=3)

    hit = next(hit for hit in answer.hits if "Angel Falls" in hit.text)
    assert (hit.page, hit.heading, hit.source) == (51, "Venezuela > Geography note", "americas.pdf")
    assert (hit.entry_id, hit.document_id, hit.index_version) == (entry.id, entry.document_id, 1)
    assert answer.query_id.startswith("qry_")


async def _rank(service: Service, org: str, question: dict[str, Any], mode: pb.SearchMode.ValueType) -> int:
    answer = await service.search(org, question["question"], mode, max_results=20)
    texts = [" ".join(hit.text.split()) for hit in answer.hits]
    return next(
        (place for place, text in enumerate(texts, 1) if any(phrase in text for phrase in question["expected"])), 99
    )

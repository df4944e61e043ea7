"""How well the three modes answer: hit@1, hit@3 and the mean reciprocal rank of the section that holds the answer.

All documents are in one organization, so that languages and companies compete. A hit is right when it is a chunk of the
document and section that the question was written for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bench.knowledge.questions import Asked, Written, read

MODES = ("keyword", "vector", "hybrid")
# Hits that are looked at for the reciprocal rank.
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of the questions; `mrr` is 0 for an answer below the tenth place."""

    questions: int
    hit1: float
    hit3: float
    mrr: float


def measure(client: httpx.Client) -> dict[str, dict[str, Quality]]:
    """By mode, then by language; "all" is every question. Prints the table as it goes."""
    documents, questions = read()
    upload(client, documents)
    table: dict[str, dict[str, Quality]] = {}
    ranks_by_mode: dict[str, list[int]] = {}
    for mode in MODES:
        ranks = [(asked.language, _rank(client, asked, mode)) for asked in questions]
        ranks_by_mode[mode] = [rank for _, rank in ranks]
        languages = sorted({language for language, _ in ranks})
        table[mode] = {"all": _quality([rank for _, rank in ranks])}
        table[mode] |= {name: _quality([rank for language, rank in ranks if language == name]) for name in languages}
    table |= _halves(table, ranks_by_mode)
    _print(table)
    return table


def _halves(table: dict[str, dict[str, Quality]], ranks: dict[str, list[int]]) -> dict[str, dict[str, Quality]]:
    """Every other question apart: what is chosen on the first half is judged by the second."""
    return {
        mode: table[mode] | {"1st half": _quality(ranks[mode][::2]), "2nd half": _quality(ranks[mode][1::2])}
        for mode in MODES
    }


def upload(client: httpx.Client, documents: Sequence[Written]) -> None:
    """Every document, searchable."""
    waiting = []
    for document in documents:
        file = {"document": (f"{document.title}.md", document.text.encode(), "text/markdown")}
        answer = client.post("/api/documents/upload", files=file, data={"title": document.title})
        answer.raise_for_status()
        waiting.append(answer.json()["documentId"])
    for document_id in waiting:
        while (status := client.get(f"/api/documents/{document_id}/status").json())["status"] == "processing":
            time.sleep(0.1)
        if status["status"] != "completed":
            raise SystemExit(f"a document was not indexed: {status}")


def search(client: httpx.Client, query: str, mode: str, most: int = _DEPTH) -> dict[str, Any]:
    body = {"query": query, "mode": mode, "maxResults": most}
    while (answer := client.post("/api/knowledge-base/search", json=body)).status_code == 429:
        time.sleep(float(answer.headers.get("retry-after", "1")))
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _rank(client: httpx.Client, asked: Asked, mode: str) -> int:
    """The place of the first right hit, 0 for none."""
    for place, hit in enumerate(search(client, asked.text, mode)["results"], 1):
        if hit["title"] == asked.title and (hit["heading"] or "").endswith(asked.section):
            return place
    return 0


def _quality(ranks: Sequence[int]) -> Quality:
    number = len(ranks)
    return Quality(
        number,
        sum(rank == 1 for rank in ranks) / number,
        sum(1 <= rank <= 3 for rank in ranks) / number,
        sum(1 / rank for rank in ranks if rank) / number,
    )


def _print(table: dict[str, dict[str, Quality]]) -> None:
    print("questions  language  " + "".join(f"{mode:>8} hit@1  hit@3  MRR  " for mode in MODES))
    for language in table[MODES[0]]:
        cells = [table[mode][language] for mode in MODES]
        figures = "".join(f"{cell.hit1:14.2f}  {cell.hit3:5.2f}  {cell.mrr:.2f} " for cell in cells)
        print(f"{cells[0].questions:9}  {language:8}  {figures}")

"""What extraction hands over: a document as a run of headings, paragraphs and table rows, each with its page.

A block knows nothing of files or formats; chunking works on blocks alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """One heading (`level` 1 is the highest), paragraph or table row (`level` 0). `page` is 1-based, 0 when the format
    has no pages. A row carries its table's `header`: a chunk which begins with it can say what its cells are."""

    text: str
    page: int = 0
    level: int = 0
    header: str = ""

"""What extraction hands over: a document as a run of headings and paragraphs, each with the page it stands on.

A block knows nothing of files or formats; chunking works on blocks alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """One heading (`level` 1 is the highest), paragraph or table row (`level` 0). `page` is 1-based, 0 when the format
    has no pages."""

    text: str
    page: int = 0
    level: int = 0

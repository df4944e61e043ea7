"""Blocks from RTF: its text by striprtf, then read as plain text."""

from collections.abc import Iterator

from striprtf.striprtf import rtf_to_text

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal


def read_rtf(content: bytes) -> Iterator[Block]:
    """Each RTF paragraph is a block. Raises Refusal(document_corrupt) when the groups do not close."""
    source = content.decode("ascii", "surrogateescape").encode("latin-1", "replace").decode("latin-1")
    if not source.rstrip("\x00 \r\n\t").endswith("}"):
        raise Refusal("document_corrupt")
    text: str = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    for line in text.split("\n"):
        paragraph = clean_paragraph(line)
        if paragraph:
            yield Block(paragraph)

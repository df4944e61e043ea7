"""What the tests of extraction read a document with. Whatever they read, its chunks must have every word of it."""

from __future__ import annotations

import os
import tempfile

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import HEAD_BYTES, MediaType, recognize
from services.knowledge.extract.document import blocks_of, read_document


def blocks(name: str, content: bytes | str) -> list[Block]:
    data = content if isinstance(content, bytes) else content.encode()
    return blocks_in(data, recognize(name, "", data[:HEAD_BYTES]))


def blocks_in(content: bytes, media: MediaType) -> list[Block]:
    found = list(blocks_of(content, media, lambda *_: None))
    kept = _text_of_chunks(content, media)
    assert [word for block in found for word in block.text.split() if word not in kept] == []
    return found


def lines(name: str, content: bytes | str) -> list[str]:
    return [block.text for block in blocks(name, content)]


def _text_of_chunks(content: bytes, media: MediaType) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        values = list(read_document(os.dup(file.fileno()), media.name, 8_000_000, 10_000))
    drafts = [draft for kind, *batches in values if kind == "chunks" for draft in batches[0]]
    return " ".join(f"{draft[2]} {draft[1]}" for draft in drafts)

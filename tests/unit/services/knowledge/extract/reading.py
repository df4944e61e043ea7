"""What the tests of extraction read a document with. Whatever they read, its chunks must have every word of it, in the
document's order.
"""

from __future__ import annotations

import os
import re
import tempfile

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import HEAD_BYTES, MediaType, recognize
from services.knowledge.extract.document import blocks_of, read_document

_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+")


def blocks(name: str, content: bytes | str) -> list[Block]:
    data = content if isinstance(content, bytes) else content.encode()
    return blocks_in(data, recognize(name, "", data[:HEAD_BYTES]))


def blocks_in(content: bytes, media: MediaType) -> list[Block]:
    found = list(blocks_of(content, media, lambda *_: None))
    assert lost_word([block.text for block in found], _texts_of_chunks(content, media)) == ""
    return found


def lost_word(written: list[str], kept: list[str]) -> str:
    """The first word of `written` that `kept` does not have after the words before it, "" when it has all. `kept` may
    repeat words (headings, a table's header, the last sentence) and cut one that is longer than a chunk."""
    stream = iter(_words(kept))
    for word in _words(written):
        left = word
        for piece in stream:
            if left == piece:
                left = ""
                break
            left = left.removeprefix(piece) if left.startswith(piece) else word
        if left:
            return word
    return ""


def _words(texts: list[str]) -> list[str]:
    """Runs of letters and digits; in scripts without spaces each character."""
    return [word for text in texts for word in _WORD.findall(text)]


def lines(name: str, content: bytes | str) -> list[str]:
    return [block.text for block in blocks(name, content)]


def _texts_of_chunks(content: bytes, media: MediaType) -> list[str]:
    """Of each chunk the headings above it and its text."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        values = list(read_document(os.dup(file.fileno()), media.name, 8_000_000, 10_000))
    drafts = [draft for kind, *batches in values if kind == "chunks" for draft in batches[0]]
    return [f"{draft[2]} {draft[1]}" for draft in drafts]

"""What the tests of extraction read a document with."""

from __future__ import annotations

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import recognize
from services.knowledge.extract.document import blocks_of


def blocks(name: str, content: bytes | str) -> list[Block]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(blocks_of(data, recognize(name, "", data[:8192]), lambda *_: None))


def lines(name: str, content: bytes | str) -> list[str]:
    return [block.text for block in blocks(name, content)]

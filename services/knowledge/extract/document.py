"""The sandboxed side: one document in, batches of chunks out, within the document's budget.

Imported by the sandbox's template, so everything heavy is imported at the top and loaded by `warm`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from libs.languages import detect
from services.knowledge.domain import media as kinds
from services.knowledge.domain.blocks import Block
from services.knowledge.domain.chunking import ChunkDraft, cut_into_chunks
from services.knowledge.domain.media import BY_NAME, MediaType
from services.knowledge.embed.tokens import Tokens
from services.knowledge.extract.book import read_book
from services.knowledge.extract.encoding import decode
from services.knowledge.extract.mail import read_mail
from services.knowledge.extract.markup import read_markdown, read_rtf
from services.knowledge.extract.office import read_office
from services.knowledge.extract.pdf import OnPage, has_scans, read_pdf
from services.knowledge.extract.pictures import read_pictures
from services.knowledge.extract.plain import read_text
from services.knowledge.extract.recognition import Recognizer
from services.knowledge.extract.refusal import SCANNED, Refusal
from services.knowledge.extract.slides import read_slides
from services.knowledge.extract.tables import read_csv
from services.knowledge.extract.web import read_html
from services.knowledge.extract.writer import read_open_document

# Chunks in one message to the parent. Larger: fewer messages, more memory.
_BATCH = 16
# A run of so many characters without a space, in a script that writes spaces, is no word.
_ENDLESS = re.compile(r"[^\s\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]{1000,}")
# Characters in runs without a space from which a document counts as no text.
_ENDLESS_CHARACTERS = 20_000

_TOKENS = Tokens()


def warm() -> None:
    """Loads what the first document would load."""
    _TOKENS.count(["word"])
    detect("word")
    for media, sample in ((kinds.MARKDOWN, b"# a\n\nb"), (kinds.HTML, b"<p>a</p>"), (kinds.CSV, b"a,b\n1,2\n")):
        list(blocks_of(sample, BY_NAME[media.name], lambda read, total: None))


def read_document(
    descriptor: int, media: str, most_characters: int, most_chunks: int, leave_scans: bool = False
) -> Iterator[Any]:
    """["pages", read, total] while it reads, then ["language", code] and batches: ["chunks", [fields of a ChunkDraft]].
    Raises Refusal; its reason is SCANNED for scans that `leave_scans` leaves to `read_scanned`."""
    content = _content(descriptor)
    if leave_scans and BY_NAME[media] is kinds.PDF and has_scans(content):
        raise Refusal(SCANNED)
    return _read(content, media, most_characters, most_chunks, None)


def read_scanned(descriptor: int, media: str, most_characters: int, most_chunks: int) -> Iterator[Any]:
    """As `read_document`, with the text of pictures."""
    recognizer = Recognizer()
    yield from _read(_content(descriptor), media, most_characters, most_chunks, recognizer)
    if recognizer.unread and not recognizer.read:
        raise Refusal("scan_not_recognized")


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _read(
    content: bytes, media: str, most_characters: int, most_chunks: int, recognizer: Recognizer | None
) -> Iterator[Any]:
    pages: list[list[Any]] = []
    blocks = _bounded(
        blocks_of(content, BY_NAME[media], lambda read, total: pages.append(["pages", read, total]), recognizer)
    )
    read: list[Block] = []
    characters = endless = 0
    for block in blocks:
        yield from pages
        pages.clear()
        read.append(block)
        characters += len(block.text)
        endless += sum(len(run) for run in _ENDLESS.findall(block.text))
        if characters > most_characters:
            raise Refusal("document_text_too_long")
    yield from pages
    if endless > _ENDLESS_CHARACTERS and 2 * endless > characters:
        raise Refusal("document_without_words")
    yield ["language", detect("\n".join(block.text for block in read))]
    yield from _chunks(read, most_chunks)


def blocks_of(
    content: bytes, media: MediaType, on_page: OnPage, recognizer: Recognizer | None = None
) -> Iterator[Block]:
    """Blocks of the document in reading order; with a `recognizer` also those of pictures. Raises Refusal."""
    if media is kinds.PDF:
        return read_pdf(content, on_page, recognizer)
    if media in kinds.PICTURES:
        return read_pictures(content, on_page, recognizer)
    if media is kinds.EPUB:
        return read_book(content)
    if media is kinds.EML:
        return read_mail(content, _attached)
    if media is kinds.PPTX:
        return read_slides(content)
    if media is kinds.ODT:
        return read_open_document(content)
    if media in kinds.ARCHIVES:
        return read_office(content, media, _taken_in)
    if media is kinds.RTF:
        return read_rtf(content)
    text = decode(content, html=media is kinds.HTML)
    readers = {kinds.HTML.name: read_html, kinds.CSV.name: read_csv, kinds.MARKDOWN.name: read_markdown}
    return readers.get(media.name, read_text)(text)


def _attached(content: bytes, media: MediaType) -> Iterator[Block]:
    """A message inside of a message is opened by the reader of messages, never by this."""
    return iter(()) if media is kinds.EML else blocks_of(content, media, lambda read, total: None)


def _taken_in(content: bytes, media: MediaType) -> Iterator[Block]:
    """A document inside of a document takes no other in."""
    if media is kinds.EML:
        return read_mail(content, _attached)
    return read_office(content, media) if media is kinds.DOCX else _attached(content, media)


def _bounded(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks that carry at least a letter, a digit or a sign of its own meaning: rules and bullets have nothing to
    find."""
    return (block for block in blocks if any(character.isalnum() or character > "\u2fff" for character in block.text))


def _chunks(blocks: list[Block], most_chunks: int) -> Iterator[Any]:
    drafts = cut_into_chunks(blocks, _TOKENS.count)
    count = 0
    while batch := list(islice(drafts, _BATCH)):
        count += len(batch)
        if count > most_chunks:
            raise Refusal("document_text_too_long")
        yield ["chunks", [_fields(draft) for draft in batch]]


def _fields(draft: ChunkDraft) -> list[Any]:
    return [
        draft.position, draft.text, draft.heading, draft.page, draft.token_count, draft.opens_section, draft.start,
        draft.end,
    ]  # fmt: skip

"""One door to all formats: from a file and its media type to blocks. Runs only inside the child process."""

from collections.abc import Callable, Iterator
from pathlib import Path

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import CSV, DOCX, HTML, MARKDOWN, PDF, RTF, MediaType
from services.knowledge.extract.encoding import decode

OnPage = Callable[[int, int], None]


def read_blocks(path: Path, media: MediaType, on_page: OnPage) -> Iterator[Block]:
    """Blocks of the document in reading order. Raises Refusal; imports a format's library only when it is needed."""
    if media is PDF:
        from services.knowledge.extract.portable import read_pdf

        return read_pdf(path, on_page)
    if media is DOCX:
        from services.knowledge.extract.word import read_docx

        return read_docx(path)
    return _read_textual(path, media)


def _read_textual(path: Path, media: MediaType) -> Iterator[Block]:
    content = path.read_bytes()
    if media is RTF:
        from services.knowledge.extract.rich import read_rtf

        return read_rtf(content)
    text = decode(content, html=media is HTML)
    del content
    if media is HTML:
        from services.knowledge.extract.web import read_html

        return read_html(text)
    if media is CSV:
        from services.knowledge.extract.tables import read_csv

        return read_csv(text)
    from services.knowledge.extract.plain import read_markdown, read_text

    return read_markdown(text) if media is MARKDOWN else read_text(text)

"""Blocks from DOCX: the archive is judged before anything is unpacked, then python-docx reads it.

Nothing is ever written to a path that the archive names.
"""

import os
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.document import Document
from docx.table import Table

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal

_MOST_MEMBERS = 2_000
_MOST_DIRECTORY_BYTES = 1 << 20
_MOST_UNPACKED = 64 << 20
_MOST_XML = 24 << 20
_MOST_RATIO = 150
_RATIO_FROM_BYTES = 4 << 20
_ENTITIES = (b"<!DOCTYPE", b"<!ENTITY", "<!DOCTYPE".encode("utf-16-le"), "<!DOCTYPE".encode("utf-16-be"))
_HEADING = re.compile(r"^heading ([1-9])$", re.IGNORECASE)
_END_OF_DIRECTORY = b"PK\x05\x06"


def read_docx(path: Path) -> Iterator[Block]:
    """Paragraphs and table rows in order. Pages are counted where the writer left page marks, else they are 0."""
    judge_archive(path)
    try:
        document = docx.Document(str(path))
    except (KeyError, ValueError, SyntaxError, zipfile.BadZipFile, docx.exceptions.PythonDocxError) as error:
        raise Refusal("document_corrupt") from error
    yield from _blocks(document)


def judge_archive(path: Path) -> None:
    """Refuses archives that expand too far, name paths outside themselves, are encrypted or define XML entities."""
    _judge_directory_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _judge_members(members)
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    _judge_xml(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error, ValueError) as error:
        raise Refusal("document_corrupt") from error


def _judge_directory_size(path: Path) -> None:
    """zipfile makes an object for every entry of the directory, so its size is looked at before."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) - at < 22:
        raise Refusal("document_corrupt")
    entries, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if entries > _MOST_MEMBERS or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise Refusal("document_expands_too_far")


def _judge_members(members: list[zipfile.ZipInfo]) -> None:
    names = {member.filename for member in members}
    if "[Content_Types].xml" not in names or "word/document.xml" not in names:
        raise Refusal("document_corrupt")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
            raise Refusal("document_unsafe")
        if member.flag_bits & 1:
            raise Refusal("document_encrypted")
        if member.filename.endswith((".xml", ".rels")) and member.file_size > _MOST_XML:
            raise Refusal("document_expands_too_far")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if len(members) > _MOST_MEMBERS or unpacked > _MOST_UNPACKED:
        raise Refusal("document_expands_too_far")
    if unpacked > _RATIO_FROM_BYTES and unpacked > _MOST_RATIO * max(1, packed):
        raise Refusal("document_expands_too_far")


def _judge_xml(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Word never writes a document type; one that is there is there to define entities."""
    with archive.open(member) as file:
        head = file.read(65_536)
    if any(mark in head for mark in _ENTITIES):
        raise Refusal("document_unsafe")


def _blocks(document: Document) -> Iterator[Block]:
    page = 1 if document.element.body.xpath("(.//w:lastRenderedPageBreak)[1]") else 0
    levels = {style.style_id: _level(style.name or "") for style in document.styles}
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            yield from _rows(item, page)
            continue
        text = clean_paragraph(item.text)
        if text:
            yield Block(text, page, levels.get(item._p.style or "", 0))
        if page:
            page += len(item.rendered_page_breaks)


def _level(style_name: str) -> int:
    if style_name.lower() == "title":
        return 1
    match = _HEADING.match(style_name)
    return min(6, int(match.group(1))) if match else 0


def _rows(table: Table, page: int) -> Iterator[Block]:
    for row in table.rows:
        cells: list[str] = []
        for cell in row.cells:
            text = clean_paragraph(cell.text)
            if text and (not cells or cells[-1] != text):
                cells.append(text)
        if cells:
            yield Block(" · ".join(cells), page)

"""Judges a ZIP container before a reader unpacks it: size, shape, names and entities."""

from __future__ import annotations

import io
import struct
import zipfile

from services.knowledge.domain.media import EPUB, ODT, MediaType
from services.knowledge.extract.packages import main_part
from services.knowledge.extract.refusal import Refusal

# Files in the archive. Office programs write one per part and picture.
_MOST_MEMBERS = 2_000
# Bytes of the archive's directory, read before its objects are made.
_MOST_DIRECTORY_BYTES = 1 << 20
# Unpacked bytes of the archive. Larger: more time and memory per document.
_MOST_UNPACKED = 64 << 20
# Unpacked bytes of the main document, whose tree takes more memory than its text.
_MOST_XML = 24 << 20
# Unpacked bytes per packed byte. Lower: ordinary documents with repetitive XML are refused.
_MOST_RATIO = 150
# Unpacked bytes from which the ratio counts; small files may compress well.
_RATIO_FROM_BYTES = 4 << 20
_END_OF_DIRECTORY = b"PK\x05\x06"
# Bytes that are unpacked at a time.
_PIECE = 1 << 20
_MAIN_PART = {ODT: "content.xml", EPUB: "META-INF/container.xml"}


def judge_archive(content: bytes, media: MediaType) -> None:
    """Refuses archives that expand too far, name paths outside themselves, are encrypted, lie about their sizes or
    define XML entities."""
    _judge_directory_size(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _judge_members(members)
            for member in members:
                _judge_content(archive, member, media)
            if (_MAIN_PART.get(media) or main_part(archive, media)) not in archive.namelist():
                raise Refusal("document_corrupt")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error, ValueError, OSError) as error:
        raise Refusal("document_corrupt") from error


def _judge_directory_size(content: bytes) -> None:
    """zipfile makes an object for every entry of the directory, so its size is looked at before."""
    tail = content[-65_557:]
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) - at < 22:
        raise Refusal("document_corrupt")
    entries, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if entries > _MOST_MEMBERS or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise Refusal("document_expands_too_far")


def _judge_members(members: list[zipfile.ZipInfo]) -> None:
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
    if unpacked > _MOST_UNPACKED or (unpacked > _RATIO_FROM_BYTES and unpacked > _MOST_RATIO * max(1, packed)):
        raise Refusal("document_expands_too_far")


def _judge_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, media: MediaType) -> None:
    """Reads the member to its end: zipfile checks length and checksum. Office programs write no document types; in a
    book they are usual, and only entities are refused."""
    marks = ("<!ENTITY",) if media is EPUB else ("<!DOCTYPE", "<!ENTITY")
    forbidden = [mark.encode(form) for mark in marks for form in ("ascii", "utf-16-le", "utf-16-be")]
    with archive.open(member) as file:
        head = file.read(_PIECE)
        if member.filename.endswith((".xml", ".rels", ".xhtml", ".opf")) and any(mark in head for mark in forbidden):
            raise Refusal("document_unsafe")
        while file.read(_PIECE):
            pass

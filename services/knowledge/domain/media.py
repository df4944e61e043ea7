"""Which documents the service reads, and how an upload's kind is told from its first bytes and its name.

Content decides where it has a signature (PDF, RTF, ZIP); which document a ZIP archive holds, and what a plain text is,
the name decides. Pure: bytes in, a media type or a refusal out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from libs.errors import InvalidArgument, Violation

# Bytes that tell the kind of a document.
HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class MediaType:
    name: str
    extension: str


PDF = MediaType("application/pdf", "pdf")
DOCX = MediaType("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx")
XLSX = MediaType("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx")
PPTX = MediaType("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx")
ODT = MediaType("application/vnd.oasis.opendocument.text", "odt")
EPUB = MediaType("application/epub+zip", "epub")
EML = MediaType("message/rfc822", "eml")
RTF = MediaType("application/rtf", "rtf")
TEXT = MediaType("text/plain", "txt")
MARKDOWN = MediaType("text/markdown", "md")
HTML = MediaType("text/html", "html")
CSV = MediaType("text/csv", "csv")

PNG = MediaType("image/png", "png")
JPEG = MediaType("image/jpeg", "jpg")
TIFF = MediaType("image/tiff", "tiff")

# Read where recognition of text is installed.
PICTURES = (PNG, JPEG, TIFF)
SUPPORTED = (PDF, DOCX, XLSX, PPTX, ODT, EPUB, TEXT, MARKDOWN, HTML, CSV, RTF, EML)
ARCHIVES = (DOCX, XLSX, PPTX, ODT, EPUB)
BY_NAME: Mapping[str, MediaType] = MappingProxyType({media.name: media for media in (*SUPPORTED, *PICTURES)})
_ALIASES = {"htm": "html", "xhtml": "html", "markdown": "md", "text": "txt"}
_DECLARED = {"text/rtf": RTF, "application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN, "application/csv": CSV}
_TEXTUAL = (TEXT, MARKDOWN, HTML, CSV, EML)
_BY_EXTENSION = {media.extension: media for media in SUPPORTED}
_ZIP = b"PK\x03\x04"
# Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, Kana, and the punctuation of Chinese and Japanese.
_COMMON = re.compile("[\t\n\r -~\u00a0-\u06ff\u0e00-\u0e7f\u3000-\u30ff\uff00-\uffef]")
# Categories of Unicode that no text holds: controls, halves of pairs, private and unassigned code points.
_NO_TEXT = ("Cc", "Cs", "Co", "Cn")
_PICTURE_SIGNS = ((b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG), (b"II*\x00", TIFF), (b"MM\x00*", TIFF))
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b")
_SIGNED_ELSEWHERE = (
    b"GIF8", b"\x7fELF", b"MZ\x90", b"\x1f\x8b", b"BZh9", b"7z\xbc\xaf", b"%!PS",
    b"\xd0\xcf\x11\xe0", b"Rar!", b"OggS", b"RIFF", b"ID3",
)  # fmt: skip


def recognize(file_name: str, declared: str, head: bytes, *, pictures: bool = False) -> MediaType:
    """The media type of a document from the first bytes of its content, its file name and the type its sender
    declared; of pictures too where `pictures`. Raises InvalidArgument(empty_document | unsupported_media_type)."""
    if not head:
        raise InvalidArgument(
            "empty_document",
            "The file is empty. Upload a document with content.",
            violations=(Violation("#/document", "empty", "has no bytes"),),
        )
    if picture := next((media for sign, media in _PICTURE_SIGNS if head.startswith(sign)), None):
        if pictures:
            return picture
        raise _unsupported("Pictures are read where text recognition is installed (dependency group `ocr`).")
    named = _named(file_name, declared)
    if head.startswith(_ZIP):
        if named is None or named not in ARCHIVES:
            raise _unsupported("A ZIP archive is no document.")
        return named
    signed = _signed(head)
    if signed is not None:
        return signed
    if named is None:
        raise _unsupported("The file's kind could not be told from its name.")
    if named not in _TEXTUAL:
        raise _unsupported(f"The file is named .{named.extension}, but its content is not of that kind.")
    if not looks_like_text(head):
        raise _unsupported(f"The file is named .{named.extension}, but its content is not text.")
    return named


def looks_like_text(head: bytes) -> bool:
    """Whether bytes can be text in some encoding: UTF-16 and UTF-32 by mark or by form, else few controls."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"\xef\xbb\xbf")):
        return True
    if head.startswith(_SIGNED_ELSEWHERE):
        return False
    return looks_single(head) or unmarked_order(head) is not None


def looks_single(head: bytes) -> bool:
    """Whether bytes can be text of one byte a character, or of UTF-8: few zeros and controls."""
    return sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in head) <= len(head) // 100


def unmarked_order(head: bytes) -> str | None:
    """The form of UTF-32 or UTF-16 text without a byte-order mark: the one in which nearly all characters exist and
    more of them are common. A wrong order makes ideographs of Latin letters, and signs that do not exist of line
    ends."""
    printable = sum(32 <= byte < 127 for byte in head)
    if 4 * printable > 3 * len(head):
        return None  # text of one byte a character, with a few zeros in it
    common: dict[str, int] = {}
    for order, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        text = head[: len(head) // width * width].decode(order, "replace")
        odd = sum(unicodedata.category(sign) in _NO_TEXT and sign not in "\t\r\n\f" for sign in text)
        if text and odd + text.count("\ufffd") <= len(text) // 100:
            common[order] = len(_COMMON.findall(text))
    best = max(common, key=lambda order: common[order], default="")
    return best if common.get(best) else None


def _signed(head: bytes) -> MediaType | None:
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.lstrip()[:5] == b"{\\rtf":
        return RTF
    return None


def _named(file_name: str, declared: str) -> MediaType | None:
    stem, dot, extension = file_name.rpartition(".")
    if dot and stem:
        extension = extension.lower()
        return _BY_EXTENSION.get(_ALIASES.get(extension, extension))
    kind = declared.partition(";")[0].strip().lower()
    return BY_NAME.get(kind) or _DECLARED.get(kind)


def _unsupported(why: str) -> InvalidArgument:
    known = ", ".join(media.extension for media in SUPPORTED)
    return InvalidArgument(
        "unsupported_media_type",
        f"{why} Upload one of: {known}.",
        violations=(Violation("#/document", "unsupported", f"must be one of: {known}"),),
        metadata={"supported": known},
    )

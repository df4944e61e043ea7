from __future__ import annotations

import pytest

from libs.errors import InvalidArgument
from services.knowledge.domain.media import (
    CSV,
    DOCX,
    HTML,
    JPEG,
    MARKDOWN,
    PDF,
    PNG,
    RTF,
    TEXT,
    TIFF,
    MediaType,
    recognize,
)


@pytest.mark.parametrize(
    ("name", "declared", "head", "media"),
    [
        ("a.pdf", "", b"%PDF-1.7", PDF),
        ("renamed.txt", "text/plain", b"junk %PDF-1.7", PDF),
        ("a.docx", "", b"PK\x03\x04...", DOCX),
        ("a.RTF", "", b"\n{\\rtf1 x}", RTF),
        ("notes", "text/markdown; charset=utf-8", b"# x", MARKDOWN),
        ("a.htm", "", b"<p>", HTML),
        ("a.markdown", "", b"# x", MARKDOWN),
        ("a.csv", "application/vnd.ms-excel", b"a,b", CSV),
        ("a.txt", "", "żółw".encode("utf-16"), TEXT),
        ("a.txt", "", "plain words without a mark".encode("utf-16-be"), TEXT),
        ("a.txt", "", "Größe".encode("windows-1252"), TEXT),
    ],
)
def test_content_decides_before_the_name(name: str, declared: str, head: bytes, media: MediaType) -> None:
    assert recognize(name, declared, head) is media


@pytest.mark.parametrize(
    ("name", "declared", "head"),
    [
        ("a.exe", "application/pdf", b"words"),
        ("a.zip", "", b"PK\x03\x04"),
        ("a.pdf", "", b"words"),
        ("a.docx", "", b"words"),
        ("a.txt", "", b"GIF89a"),
        ("a.txt", "", bytes(range(256))),
        ("a.txt", "", b"hello\x00world"),
        ("a.txt", "", b"\x01\x00\x00\x00\x02\x00\x00\x00"),
        ("noname", "", b"words"),
        (".pdf", "", b"words"),
        ("", "", b"words"),
    ],
)
def test_what_is_not_supported_names_what_is(name: str, declared: str, head: bytes) -> None:
    with pytest.raises(InvalidArgument) as refused:
        recognize(name, declared, head)

    assert refused.value.reason == "unsupported_media_type"
    assert "pdf, docx, xlsx, pptx, odt, epub, txt, md, html, csv, rtf, eml" in refused.value.detail
    assert refused.value.violations[0].pointer == "#/document"


@pytest.mark.parametrize(
    ("head", "media"),
    [(b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff\xe0", JPEG), (b"II*\x00", TIFF), (b"MM\x00*", TIFF)],
)
def test_pictures_are_told_by_their_content_where_they_can_be_read(head: bytes, media: MediaType) -> None:
    assert recognize("a.txt", "", head + bytes(100), pictures=True) is media
    with pytest.raises(InvalidArgument, match="text recognition is installed"):
        recognize("a.png", "", head + bytes(100))

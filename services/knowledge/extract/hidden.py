"""Cuts what an office document hides out of its parts, before a reader sees them.

Word: hidden text, by run or by style, moved and deleted text, comments. Workbooks: hidden sheets, rows and columns.
Slides: hidden slides with their notes, hidden shapes. OpenDocument: hidden text, paragraphs and sections, comments.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from services.knowledge.domain.media import DOCX, ODT, PPTX, XLSX, MediaType
from services.knowledge.extract.boxes import boxes_below
from services.knowledge.extract.cleaning import raised
from services.knowledge.extract.edits import walked
from services.knowledge.extract.fields import fields_said
from services.knowledge.extract.inline import in_line
from services.knowledge.extract.merged import merged_marked, merged_rows_marked
from services.knowledge.extract.numbering import Numbering
from services.knowledge.extract.numbers import NumberFormats
from services.knowledge.extract.packages import main_part, relations, with_usual_names
from services.knowledge.extract.sheets import Sheet, is_on, look

Attributes = Mapping[str, str]

_SHAPES = frozenset(("sp", "pic", "graphicFrame", "grpSp", "cxnSp"))
# What a property of a run, a row or a shape may hide: the element that it belongs to.
_OWNERS = _SHAPES | {"r", "p", "tr"}
_PARTS = {
    DOCX: r"word/\w+\.xml", XLSX: r"xl/(?:workbook|(?:worksheets|drawings)/[^/]+)\.xml",
    PPTX: r"ppt/slides/[^/]+\.xml", ODT: r"(?:content|styles)\.xml",
}  # fmt: skip
_NUMBERS = "xl/styles.xml"
_STYLES = {ODT: ("content.xml", "styles.xml")}
# Ends of the types of relations.
_NOTES, _TABLES, _WORD_STYLES, _LISTS = "/notesSlide", "/table", "/styles", "/numbering"
# Parts of Word that hold text, by the ends of the types of the relations that name them.
_WORD_TEXTS = ("/header", "/footer", "/footnotes", "/endnotes", "/comments")
# Digits that Word raises are no part of the number before them.
_RAISED = re.compile(
    rb"""(<((?:\w+:)?)vertAlign\b[^<>]*["']superscript["'][^<>]*>(?:(?!</\2r>).){0,500}?<\2t\b[^<>]*>)([0-9]+)""",
    re.DOTALL,
)
# Parts of XML in another encoding are rewritten: xberg reads UTF-8 alone.
_WIDE = ("utf-16", (b"\xff\xfe", b"\xfe\xff"))
_ENCODING = re.compile(r"""\sencoding=["'][\w-]+["']""")


@dataclass(slots=True)
class _Part:
    """What is known of a part while it is read: names of hidden styles, how deep paragraphs of hidden styles began,
    the hidden rows and columns of a worksheet."""

    styles: frozenset[str]
    paragraphs: set[int] = field(default_factory=set)
    sheet: Sheet = field(default_factory=Sheet)
    hidden: bool = False


# From the names of the elements above, a name and its attributes to how many levels up the hidden element is. Below
# zero the element so many levels up is shown after all.
_Rule = Callable[[_Part, Sequence[str], str, Attributes], int | None]


def without_hidden(content: bytes, media: MediaType) -> bytes:
    """The archive without what it hides, and with the rest where a reader finds it: text boxes of Word below their
    paragraph, numbers of a sheet as they are shown. The same bytes where nothing changes. A part that is no XML stays
    as it is: its reader refuses it. Expects an archive that `judge_archive` let pass."""
    if media not in _PARTS:
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        main = main_part(archive, media) if media is DOCX else ""
        named = _names(archive, main, _WORD_STYLES) if main else _STYLES.get(media, ())
        styles = _hidden_styles([_xml(archive, name) for name in named if name in archive.namelist()])
        lists = Numbering(*(_first(archive, main, kind) for kind in (_LISTS, _WORD_STYLES)))
        texts = {name for kind in _WORD_TEXTS for name in _names(archive, main, kind)} if main else set()
        formats = NumberFormats(archive.read(_NUMBERS)) if media is XLSX and _NUMBERS in archive.namelist() else None
        renamed = with_usual_names(archive, media)
        changed: dict[str, bytes] = {}
        for name in archive.namelist():
            if name in texts or re.fullmatch(_PARTS[media], renamed.get(name, name)):
                before = _xml(archive, name)
                sheet = look(before, _related(archive, name, _TABLES)) if media is XLSX else Sheet()
                part = _Part(styles, sheet=sheet)
                after = _cut(before, part, _RULES[media])
                if media is DOCX:
                    after = _RAISED.sub(lambda run: run[1] + raised(run[3].decode()).encode(), lists.written(after))
                    after = in_line(fields_said(after))
                    after = merged_marked(boxes_below(after))
                elif media is XLSX:
                    after = merged_rows_marked(after)
                    after = formats.shown(after) if formats else after
                if after != archive.read(name):
                    changed[name] = after
                for notes in _names(archive, name, _NOTES) if part.hidden else ():
                    changed[notes] = _cut(archive.read(notes), _Part(styles, hidden=True), _slide)
        return _rewritten(archive, changed, renamed) if changed or renamed else content


def _xml(archive: zipfile.ZipFile, name: str) -> bytes:
    data = archive.read(name)
    encoding, marks = _WIDE
    return _ENCODING.sub("", data.decode(encoding, "replace"), 1).encode() if data.startswith(marks) else data


def _names(archive: zipfile.ZipFile, part: str, kind: str) -> list[str]:
    """The members that a part names by relations of a kind: what the speaker reads to a slide, tables of a sheet."""
    found = {relation.part for relation in relations(archive, part) if relation.kind.endswith(kind)}
    return sorted(found & set(archive.namelist()))


def _first(archive: zipfile.ZipFile, part: str, kind: str) -> bytes:
    """The one member that a part names by a relation of a kind, or b''."""
    return next((_xml(archive, name) for name in _names(archive, part, kind)), b"") if part else b""


def _related(archive: zipfile.ZipFile, part: str, kind: str) -> list[bytes]:
    return [archive.read(name) for name in _names(archive, part, kind)]


def _rewritten(archive: zipfile.ZipFile, changed: Mapping[str, bytes], renamed: Mapping[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for member in archive.infolist():
            data = changed.get(member.filename) or archive.read(member)
            if member.filename in ("[Content_Types].xml", "_rels/.rels"):
                for old, new in renamed.items():
                    data = data.replace(old.encode(), new.encode())
            copy.writestr(renamed.get(member.filename, member.filename), data)
    return target.getvalue()


def _cut(data: bytes, part: _Part, rule: _Rule) -> bytes:
    """`data` without the elements that the rule hides."""
    path: list[str] = []
    starts: list[int] = []
    hidden: list[bool] = []
    ranges: list[tuple[int, int]] = []
    opened = -1

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal opened
        name = name.rpartition(":")[2]
        opened = parser.CurrentByteIndex
        up = rule(part, path, name, {key.rpartition(":")[2]: value for key, value in attributes.items()})
        path.append(name)
        starts.append(opened)
        hidden.append(up == 0)
        if up:
            hidden[-1 - abs(up)] = up > 0

    def end(_name: str) -> None:
        path.pop()
        began, index = starts.pop(), parser.CurrentByteIndex
        if hidden.pop():
            # An element without content ends where its one tag does, any other behind its end tag.
            empty = began == opened and data[index - 2 : index] == b"/>"
            ranges.append((began, index if empty else data.index(b">", index) + 1))

    parser = expat.ParserCreate()
    if not walked(parser, data, start, end):
        return data
    kept, at = [], 0
    for began, ended in sorted(ranges):
        if began >= at:
            kept.append(data[at:began])
        at = max(at, ended)
    return b"".join((*kept, data[at:]))


def _word(part: _Part, path: Sequence[str], name: str, attributes: Attributes) -> int | None:
    match (path[-1] if path else "", name):
        case (_, "comment" | "commentReference" | "moveFrom" | "delText" | "Fallback"):
            return 0  # a fallback repeats what newer programs show
        case ("rPr", "vanish" | "webHidden") | ("trPr", "hidden" | "del") if is_on(attributes):
            return _owner(path)
        case ("tcPr", "cellDel"):
            return 2
        case ("rPr", "vanish") if run := _owner(path):
            return -run
        case ("rPr", "rStyle") if attributes.get("val") in part.styles:
            return _owner(path)
        case (_, "p"):
            part.paragraphs = {depth for depth in part.paragraphs if depth < len(path)}
        case ("pPr", "pStyle") if attributes.get("val") in part.styles:
            part.paragraphs.add(len(path) - 2)
        case (_, "r") if part.paragraphs and _paragraph(path) in part.paragraphs:
            return 0
    return None


def _paragraph(path: Sequence[str]) -> int:
    """How deep the innermost paragraph began: one may stand in the text box of another."""
    return max((depth for depth, name in enumerate(path) if name == "p"), default=-1)


def _owner(path: Sequence[str]) -> int | None:
    return 2 if len(path) > 1 and path[-2] in _OWNERS else None


def _workbook(part: _Part, path: Sequence[str], name: str, attributes: Attributes) -> int | None:
    if name == "sheet":
        return 0 if attributes.get("state", "visible") != "visible" else None
    if name == "cNvPr" and is_on(attributes, "hidden", "0"):
        return _owner(path)
    return 0 if part.sheet.hides(name, attributes) else None


def _slide(part: _Part, path: Sequence[str], name: str, attributes: Attributes) -> int | None:
    if not path:
        part.hidden = part.hidden or not is_on(attributes, "show")
    if part.hidden and name in _SHAPES:
        return 0
    if name == "cNvPr" and is_on(attributes, "hidden", "0"):
        return _owner(path)
    return None


def _open_document(part: _Part, path: Sequence[str], name: str, attributes: Attributes) -> int | None:
    match name:
        case "annotation" | "tracked-changes":
            return 0
        case "hidden-paragraph" if is_on(attributes, "is-hidden"):
            return 1
        case "hidden-text" | "section" if attributes.get("is-hidden") == "true" or attributes.get("display") == "none":
            return 0
        case "p" | "h" | "span" | "a" if attributes.get("style-name") in part.styles:
            return 0
    return None


_RULES: Mapping[MediaType, _Rule] = {DOCX: _word, XLSX: _workbook, PPTX: _slide, ODT: _open_document}


def _hidden_styles(parts: Sequence[bytes]) -> frozenset[str]:
    """Names of the styles that hide their text, themselves or by the style that they are based on."""
    based: dict[str, str] = {}
    hides: dict[str, bool] = {}
    name = ""

    def note(_part: _Part, path: Sequence[str], element: str, attributes: Attributes) -> None:
        nonlocal name
        if element == "style":
            name = attributes.get("styleId") or attributes.get("name", "")
            based[name] = attributes.get("parent-style-name", "")
        elif element == "basedOn":
            based[name] = attributes.get("val", "")
        elif element == "vanish" and path[-1] == "rPr":
            hides[name] = is_on(attributes)
        elif element == "text-properties" and "display" in attributes:
            hides[name] = attributes["display"] == "none"

    for data in parts:
        _cut(data, _Part(frozenset()), note)
    for style in based:
        line, above = [style], style
        while above not in hides and (above := based.get(above, "")) and above not in line:
            line.append(above)
        for one in line:
            hides.setdefault(one, hides.get(above, False))
    return frozenset(style for style, hidden in hides.items() if hidden)

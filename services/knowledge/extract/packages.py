"""Parts of an office package (Open Packaging Conventions) and how one part names others."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

from services.knowledge.domain.media import DOCX, PPTX, XLSX, MediaType
from services.knowledge.extract.elements import tree

# Where programs write the main part, and where readers look for it.
MAIN_PARTS = {DOCX: "word/document.xml", XLSX: "xl/workbook.xml", PPTX: "ppt/presentation.xml"}
_MAIN = "/officeDocument"
_WHOLE_DOCUMENT = "/aFChunk"
_DRAWING = "/drawing"
# Web pages with their pictures, written as e-mail is.
_WEB_ARCHIVES = ("mht", "mhtml")


class Relation(NamedTuple):
    """`kind` is the URI of its type, `part` the member that it names, `id` what the naming part calls it."""

    kind: str
    part: str
    id: str


def relations(archive: zipfile.ZipFile, part: str) -> list[Relation]:
    """What a part names, in its order; those of the package for ''. None, where that cannot be read."""
    folder = posixpath.dirname(part)
    if _beside(part) not in archive.namelist():
        return []
    named = tree(archive.read(_beside(part)))
    inside = [node.attrib for node in named if node.get("TargetMode") != "External"]
    return [
        Relation(
            one.get("Type", ""),
            posixpath.normpath(posixpath.join("/", folder, one.get("Target", "")))[1:],
            one.get("Id", ""),
        )
        for one in inside
    ]


def main_part(archive: zipfile.ZipFile, media: MediaType) -> str:
    """The member that holds the text; some programs give it another name than the usual one."""
    named = [relation.part for relation in relations(archive, "") if relation.kind.endswith(_MAIN)]
    return next((part for part in named if part in archive.namelist()), MAIN_PARTS[media])


def linked_parts(content: bytes, media: MediaType) -> Iterator[tuple[str, bytes]]:
    """Documents that a DOCX takes in whole: their names and bytes."""
    if media is not DOCX:
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for relation in relations(archive, main_part(archive, media)):
            if relation.kind.endswith(_WHOLE_DOCUMENT) and relation.part in archive.namelist():
                stem, _, extension = relation.part.rpartition(".")
                name = f"{stem}.eml" if extension in _WEB_ARCHIVES else relation.part
                yield name, archive.read(relation.part)


def drawings(content: bytes) -> Iterator[bytes]:
    """What lies over the worksheets of a workbook, in the order of the sheets that it names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        main = main_part(archive, XLSX)
        by_id = {relation.id: relation.part for relation in relations(archive, main)}
        for sheet in tree(archive.read(main)).iter():
            named = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            for relation in relations(archive, by_id[named]) if named in by_id else ():
                if relation.kind.endswith(_DRAWING) and relation.part in archive.namelist():
                    yield archive.read(relation.part)


def with_usual_names(archive: zipfile.ZipFile, media: MediaType) -> dict[str, str]:
    """New names of members by their old ones, where the main part has another name than the usual one."""
    usual = MAIN_PARTS.get(media, "")
    main = main_part(archive, media) if usual else ""
    if main == usual:
        return {}
    return {main: usual} | {_beside(main): _beside(usual) for name in archive.namelist() if name == _beside(main)}


def _beside(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")

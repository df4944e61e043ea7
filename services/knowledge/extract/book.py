"""Blocks from EPUB: the chapters of the book's spine, each read as the web page that it is."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import EPUB
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.encoding import decode
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.web import read_html

_CONTAINER = "META-INF/container.xml"
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_SELF_CLOSED = re.compile(r"""<([A-Za-z][\w:.-]*)((?:"[^"]*"|'[^']*'|[^<>"'/]|/(?!>))*)/>""")


def read_book(content: bytes) -> Iterator[Block]:
    """Raises Refusal(document_corrupt) when the book does not say where its chapters are."""
    judge_archive(content, EPUB)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        try:
            package = _found(archive, _CONTAINER, "rootfile")[0]["full-path"]
            items = {item["id"]: item for item in _found(archive, package, "item")}
            spine = [items[one["idref"]] for one in _found(archive, package, "itemref") if one["idref"] in items]
            members = {item["href"]: _beside(package, item["href"]) for item in items.values()}
            sheets = [members[item["href"]] for item in items.values() if item.get("media-type") == "text/css"]
            style = "\n".join(decode(archive.read(name)) for name in sheets if name in archive.namelist())
            chapters = [members[item["href"]] for item in spine]
            for name in (name for name in chapters if name in archive.namelist()):
                yield from read_html(_as_html(decode(archive.read(name), html=True)), style, titled=False)
        except (ElementTree.ParseError, KeyError, IndexError) as error:
            raise Refusal("document_corrupt") from error


def _as_html(chapter: str) -> str:
    """A chapter is XHTML. In HTML `<title/>` is a start tag, and takes what follows it."""
    return _SELF_CLOSED.sub(
        lambda tag: (
            tag.group() if tag.group(1).lower() in _VOID else f"<{tag.group(1)}{tag.group(2)}></{tag.group(1)}>"
        ),
        chapter,
    )


def _found(archive: zipfile.ZipFile, name: str, element: str) -> list[dict[str, str]]:
    """Attributes of every element of that name."""
    tree = ElementTree.fromstring(archive.read(name))  # noqa: S314 - judge_archive refuses entities
    return [node.attrib for node in tree.iter() if node.tag.rpartition("}")[2] == element]


def _beside(package: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(reference.partition("#")[0])))

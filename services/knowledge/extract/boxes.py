"""Text boxes of Word, moved out of their drawing: what a box holds stands below the paragraph that anchors it.

xberg joins the paragraphs of a box, and reads one box of a group.
"""

from __future__ import annotations

from xml.parsers import expat

from services.knowledge.extract.edits import replaced, walked

_BOX = "txbxContent"


def boxes_below(data: bytes) -> bytes:
    """`data` with the content of each outermost box behind the paragraph around it. The same bytes where there is no
    box, or no XML."""
    data = data.replace(b"<w:cr/>", b"<w:br/>")
    if _BOX.encode() not in data:
        return data
    edits: list[tuple[int, int, bytes]] = []
    path: list[str] = []
    boxes: list[bytes] = []
    outer = began = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal outer, began
        name = name.rpartition(":")[2]
        if name == "p" and "p" not in path:
            outer = len(path)
        if name == _BOX and _BOX not in path:
            began = data.index(b">", parser.CurrentByteIndex) + 1
        path.append(name)

    def end(_name: str) -> None:
        name, index = path.pop(), parser.CurrentByteIndex
        if name == _BOX and _BOX not in path and "p" in path and index > began:
            boxes.append(data[began:index])
            edits.append((began, index, b""))
        elif name == "p" and len(path) == outer and boxes:
            behind = data.index(b">", index) + 1
            edits.append((behind, behind, b"".join(boxes)))
            boxes.clear()

    parser = expat.ParserCreate()
    return replaced(data, edits) if walked(parser, data, start, end) else data

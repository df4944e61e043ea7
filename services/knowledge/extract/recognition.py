"""Text in pictures by RapidOCR (PP-OCRv6, Apache-2.0), where the dependency group `ocr` is installed.

The models lie in the package; they read Latin scripts, Chinese and Japanese. Runs in a sandbox of its own, whose
template has loaded them.
"""

from __future__ import annotations

import functools
from typing import Any

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.layout import Line, blocks_of_lines

# One processor; the longer side of the picture in which lines are looked for (they are read in full size); one line at
# a time, because a batch is padded to its longest and takes 150 MB more.
_PARAMETERS = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Det.limit_type": "max", "Det.limit_side_len": 960, "Rec.rec_batch_num": 1, "Cls.cls_batch_num": 1,
    "Global.log_level": "critical",
}  # fmt: skip
# Confidence from which a line is kept.
_LEAST_CONFIDENCE = 0.7
# Letters for each height of a line along its length. Of a script that the model does not know it reads a few signs.
_LEAST_DENSITY = 0.5


class Recognizer:
    """Counts the lines that it read, and those that it saw and could not read."""

    def __init__(self) -> None:
        self.read = 0
        self.unread = 0

    def blocks(self, picture: Any, page: int) -> list[Block]:
        """Headings and paragraphs of `picture`, a PIL image."""
        import numpy

        found = _engine()(numpy.asarray(picture.convert("RGB"))[:, :, ::-1].copy())  # it takes blue first
        lines = []
        for box, text, confidence in zip(*_parts(found), strict=True):
            (left, top), (right, bottom) = box.min(0), box.max(0)
            line = Line(text.strip(), float(left), float(top), float(right), float(bottom))
            if confidence >= _LEAST_CONFIDENCE and _density(line) >= _LEAST_DENSITY:
                lines.append(line)
            else:
                self.unread += 1
        self.read += len(lines)
        return blocks_of_lines(lines, page)


def _parts(found: Any) -> tuple[Any, Any, Any]:
    return ((), (), ()) if found.boxes is None else (found.boxes, found.txts, found.scores)


def _density(line: Line) -> float:
    length, height = sorted((line.right - line.left, line.bottom - line.top), reverse=True)
    return sum(map(str.isalnum, line.text)) * height / max(1.0, length)


def load() -> None:
    """The models, once a process: each is loaded by the first picture that needs it."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (320, 64), "white")
    ImageDraw.Draw(picture).text((10, 10), "one line", "black", ImageFont.load_default(32))
    if not Recognizer().blocks(picture, 1):
        raise RuntimeError("the models of text recognition read nothing")


@functools.cache
def _engine() -> Any:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(params=_PARAMETERS)

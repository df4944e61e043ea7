"""Words of lines whose letters are set apart ("O P E N I N G   H O U R S"), told by the gaps between the glyphs.

The reader makes a word of each letter, or joins some of them.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as raw

# Two letters on their own, as every line has that the reader took apart. Initials have dots.
_APART = re.compile(r"(?<!\S)[^\W\d_]\s+[^\W\d_](?!\S)")
# Glyphs of a line whose letters may be set apart. Fewer are items of a list, or initials.
_FEWEST_GLYPHS = 5
# Shares of the letters' size: gaps that set letters apart (wider ones are between cells), how much wider the gap
# between words is, and the gap that ends a line.
_LEAST_GAP, _WIDEST_GAP, _WORD_GAP, _LINE_GAP = 0.1, 0.6, 0.15, 2.5


class _Glyph(NamedTuple):
    character: str
    left: float
    right: float
    baseline: float
    size: float
    spaced: bool  # behind a space that was typed


class Spacing:
    """The lines of a document's pages that are set so. Damaged and protected documents have none."""

    def __init__(self, content: bytes) -> None:
        self._document: pypdfium2.PdfDocument | None = None
        with suppress(pypdfium2.PdfiumError):
            self._document = pypdfium2.PdfDocument(content)

    def lines(self, number: int, text: str) -> Lines:
        """Of a page that the reader gave as `text`. A page that cannot be opened here has none."""
        if self._document is not None and _APART.search(text):
            with (
                suppress(pypdfium2.PdfiumError, IndexError),
                closing(self._document[number - 1]) as page,
                closing(page.get_textpage()) as glyphs,
            ):
                return Lines([words for line in _lines(glyphs) if (words := _words(line))])
        return Lines([])


class Lines:
    """The words of each line."""

    def __init__(self, lines: list[list[str]]) -> None:
        self._known = [(_in_letters("".join(words)), words) for words in lines]

    def in_words(self, text: str) -> str:
        """The text with these lines in words."""
        for line, words in self._known:
            text = " ".join(words).join(line.split(text))
        return text


def _in_letters(line: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\S)" + r"\s*".join(map(re.escape, line)) + r"(?!\S)")


def _words(line: list[_Glyph]) -> list[str]:
    """[] where its letters are not set apart, or may be words of one letter: with a space between all of them."""
    gaps = [(after.left - before.right) / before.size for before, after in pairwise(line)]
    if len(line) < _FEWEST_GLYPHS or not any(glyph.character.isalpha() for glyph in line):
        return []
    usual = median(gaps)
    if quantiles(gaps, n=10, method="inclusive")[0] < _LEAST_GAP or usual > _WIDEST_GAP:
        return []
    words = [line[0].character]
    for glyph, gap in zip(line[1:], gaps, strict=True):
        if gap > usual + _WORD_GAP:
            words.append("")
        words[-1] += glyph.character
    return words if len(words) > 1 or not any(glyph.spaced for glyph in line[1:]) else []


def _lines(page: pypdfium2.PdfTextPage) -> Iterator[list[_Glyph]]:
    line: list[_Glyph] = []
    for glyph in _glyphs(page):
        if line and not _goes_on(line[-1], glyph):
            yield line
            line = []
        line.append(glyph)
    if line:
        yield line


def _goes_on(before: _Glyph, after: _Glyph) -> bool:
    near = -before.size < after.left - before.right < _LINE_GAP * before.size
    return near and abs(after.baseline - before.baseline) < before.size / 4


def _glyphs(page: pypdfium2.PdfTextPage) -> Iterator[_Glyph]:
    """In the order of the page, without spaces."""
    x, y, box = ctypes.c_double(), ctypes.c_double(), raw.FS_RECTF()
    spaced = False
    for place in range(page.count_chars()):
        character = chr(raw.FPDFText_GetUnicode(page, place))
        if character.isspace() or not character.isprintable():
            spaced = spaced or not raw.FPDFText_IsGenerated(page, place)
            continue
        raw.FPDFText_GetLooseCharBox(page, place, box)
        raw.FPDFText_GetCharOrigin(page, place, x, y)
        size = raw.FPDFText_GetFontSize(page, place)
        yield _Glyph(character, box.left, box.right, y.value, max(size, box.top - box.bottom, 1.0), spaced)
        spaced = False

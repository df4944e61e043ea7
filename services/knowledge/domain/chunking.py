"""Cuts a run of blocks into chunks: the passages that are embedded, indexed and shown as hits.

A chunk never crosses a heading, ends at the end of a sentence where the limit allows, repeats the last short sentence
of the chunk before it, and stays below the token limit of the embedding model. Every word of the blocks is in the text
or in the heading path of some chunk. Pure: tokens are counted by a function that the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.sentences import split_sentences

NUMBERED = re.compile(r"^(?:chapter|part|book|section|appendix|act|scene)\s+(?:[ivxlcdm]+|\d+|[a-z])\b", re.IGNORECASE)

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """In tokens of the embedding model, which reads 256 of heading and text together. 220 tokens of prose are about
    160 words."""

    target: int = 228
    most: int = 240
    overlap: int = 36


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """A passage before it has an id. `page` is where its first new sentence stands. `start` and `end` are code points
    of the document's text: its blocks, each followed by two line breaks. What a chunk repeats (a sentence of the chunk
    before, a table's header) is not counted."""

    position: int
    text: str
    heading: str
    page: int
    token_count: int
    opens_section: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of an entry's index, as it is listed."""

    id: str
    entry_id: str
    position: int
    text: str
    heading: str
    page: int
    token_count: int
    start: int
    end: int


# Characters of a heading. Longer ones are treated as text.
_HEADING_IN_PASSAGE = 60
# Characters of a heading. Longer ones are treated as text.
_LONGEST_HEADING = 200
# Letters of a long unknown word that count as one token.
_LETTERS_A_TOKEN = 8
# Characters of the break between two blocks, which offsets count.
_BETWEEN_BLOCKS = 2
_FULL_WIDTH_ENDS = ("。", "！", "？", "」", "』")
# More characters than this are cut before their tokens are counted: counting holds about 100 bytes a character.
_MOST_AT_ONCE = 2_000


def passage(draft: ChunkDraft) -> str:
    """What is embedded: the text, below its heading when it opens the section. Further down, a chapter's title says
    little about a passage and made fewer of them found."""
    return f"{draft.heading[-_HEADING_IN_PASSAGE:]}\n{draft.text}" if draft.opens_section else draft.text


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    tokens: int
    page: int
    opens_paragraph: bool
    start: int
    end: int
    header: str = ""


@dataclass(slots=True)
class _Section:
    """The headings in force, by level. `bare` is the last one while nothing stands below it. A heading right below
    another of its level is its second line, unless it counts a new part."""

    levels: dict[int, str] = field(default_factory=dict)
    bare: Block | None = None
    bare_at: int = 0
    opening: bool = True

    def continues(self, heading: Block) -> bool:
        above = self.bare
        if above is None or (above.level, above.page) != (heading.level, heading.page):
            return False
        joined = len(self.levels[above.level]) + len(heading.text) + 2
        return joined <= _LONGEST_HEADING and not NUMBERED.match(heading.text)

    def enter(self, heading: Block, at: int) -> None:
        title = " ".join(heading.text.split())
        if self.continues(heading):
            title = f"{self.levels[heading.level]}: {title}"
        else:
            self.bare_at = at
        self.levels = {level: text for level, text in self.levels.items() if level < heading.level}
        self.levels[heading.level] = title
        self.bare = heading
        self.opening = True

    def path(self, below: int = 99) -> str:
        return " > ".join(self.levels[level] for level in sorted(self.levels) if level < below)


def cut_into_chunks(
    blocks: Iterable[Block], count_tokens: CountTokens, limits: ChunkLimits | None = None
) -> Iterator[ChunkDraft]:
    """Chunks in reading order, lazily: only one section's open chunk is held."""
    cutter = _Cutter(count_tokens, limits or ChunkLimits())
    for block in blocks:
        yield from cutter.feed(block)
    yield from cutter.close()


class _Cutter:
    def __init__(self, count_tokens: CountTokens, limits: ChunkLimits) -> None:
        self._count = count_tokens
        self._limits = limits
        self._section = _Section()
        self._open: list[_Sentence] = []
        self._repeated = 0
        self._position = 0
        self._at = 0

    def feed(self, block: Block) -> Iterator[ChunkDraft]:
        start, self._at = self._at, self._at + len(block.text) + _BETWEEN_BLOCKS
        if block.level and len(block.text) <= _LONGEST_HEADING:
            yield from self._enter(block, start)
            return
        self._section.bare = None
        for sentence in self._sentences(block, start):
            if self._open and self._tokens() + sentence.tokens > self._limit_for(sentence):
                yield from self._flush(keep_overlap=True)
            self._open.append(sentence)

    def close(self) -> Iterator[ChunkDraft]:
        yield from self._flush(keep_overlap=False)
        yield from self._bare_heading()

    def _enter(self, heading: Block, at: int) -> Iterator[ChunkDraft]:
        yield from self._flush(keep_overlap=False)
        above = self._section.bare
        if above is not None and heading.level <= above.level and not self._section.continues(heading):
            yield from self._bare_heading()
        self._section.enter(heading, at)

    def _bare_heading(self) -> Iterator[ChunkDraft]:
        """A heading that nothing follows is a passage of its own."""
        heading = self._section.bare
        if heading is None:
            return
        text = self._section.levels[heading.level]
        path, start = self._section.path(heading.level), self._section.bare_at
        for piece, tokens in self._fit(text, self._sizes([text])[0]):
            end = min(start + len(piece), self._at)
            yield ChunkDraft(self._position, piece, path, heading.page, tokens, bool(path), start, end)
            self._position += 1
        self._section.bare = None

    def _limit_for(self, sentence: _Sentence) -> int:
        """Between target and most only a sentence that continues a paragraph may still come in."""
        return self._limits.target if sentence.opens_paragraph else self._limits.most

    def _tokens(self) -> int:
        header = self._header_tokens(self._open)
        return header + sum(sentence.tokens for sentence in self._open)

    def _header_tokens(self, sentences: Sequence[_Sentence]) -> int:
        header = sentences[0].header if sentences else ""
        return self._sizes([header])[0] if header else 0

    def _sentences(self, block: Block, start: int) -> Iterator[_Sentence]:
        """The block's sentences; a table row stays whole where it can."""
        header = block.header if block.header and self._sizes([block.header])[0] <= self._limits.target // 3 else ""
        texts = [block.text] if header else split_sentences(block.text)
        pieces = [piece for text in texts for piece in _cut_long(text)]
        first, at = True, 0
        for text, tokens in zip(pieces, self._sizes(pieces), strict=True):
            for piece, size in self._fit(
                text, tokens, self._limits.target - (self._limits.target // 3 if header else 0)
            ):
                at = max(at, block.text.find(piece, at))
                yield _Sentence(piece, size, block.page, first, start + at, start + at + len(piece), header)
                at += len(piece)
                first = False

    def _fit(self, text: str, tokens: int, most: int = 0) -> list[tuple[str, int]]:
        """A sentence longer than a chunk is cut between words, and a word longer than that between characters."""
        most = most or self._limits.target
        if tokens <= most or len(text) < 2:
            return [(text, tokens)]
        pieces = _cut_evenly(text, tokens // most + 1)
        sizes = self._sizes(pieces)
        return [fitting for piece, size in zip(pieces, sizes, strict=True) for fitting in self._fit(piece, size, most)]

    def _sizes(self, texts: Sequence[str]) -> list[int]:
        """Tokens, and no fewer than long words deserve that the model knows as one unknown token."""
        counted = self._count(texts)
        return [max(tokens, len(text) // _LETTERS_A_TOKEN) for tokens, text in zip(counted, texts, strict=True)]

    def _flush(self, *, keep_overlap: bool) -> Iterator[ChunkDraft]:
        fresh = self._open[self._repeated :]
        if fresh:
            tokens = self._tokens()
            text, path = _join(self._open), self._section.path()
            yield ChunkDraft(
                self._position, text, path, fresh[0].page, tokens, self._section.opening and bool(path),
                fresh[0].start, fresh[-1].end,
            )  # fmt: skip
            self._position += 1
            self._section.opening = False
        short = fresh and fresh[-1].tokens <= self._limits.overlap and not fresh[-1].header
        last = self._open[-1:] if keep_overlap and short else []
        self._open = last
        self._repeated = len(last)


def _cut_long(text: str) -> list[str]:
    return _cut_evenly(text, -(-len(text) // _MOST_AT_ONCE)) if len(text) > _MOST_AT_ONCE else [text]


def _cut_evenly(text: str, parts: int) -> list[str]:
    """At least two pieces of about the same length, cut at the last space before each mark where there is one near."""
    length = max(1, -(-len(text) // max(2, parts)))
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + length)
        space = text.rfind(" ", start + length // 2, end + 1) if end < len(text) else end
        end = space if space > start else end
        piece = text[start:end].strip()
        if piece:
            pieces.append(piece)
        start = end
    return pieces


def _join(sentences: Sequence[_Sentence]) -> str:
    """Paragraphs apart; a chunk that begins inside a table begins with the table's header."""
    parts = [sentences[0].header] if sentences[0].header else []
    for sentence in sentences:
        if parts and not (parts[-1].endswith(_FULL_WIDTH_ENDS) and not sentence.opens_paragraph):
            parts.append("\n\n" if sentence.opens_paragraph else " ")
        parts.append(sentence.text)
    return "".join(parts)

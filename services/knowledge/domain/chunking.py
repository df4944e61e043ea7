"""Cuts a run of blocks into chunks: the passages that are embedded, indexed and shown as hits.

A chunk never crosses a heading, ends at the end of a sentence where the limit allows, repeats the last short sentence
of the chunk before it, and stays below the token limit of the embedding model. Pure: tokens are counted by a function
that the caller gives, so the rules need no model.
"""

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
    """A passage before it has an id. `page` is where its first new sentence stands."""

    position: int
    text: str
    heading: str
    page: int
    token_count: int
    opens_section: bool


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


_HEADING_IN_PASSAGE = 60
_LETTERS_A_TOKEN = 8


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


@dataclass(slots=True)
class _Section:
    """The headings in force, by level; a heading right below another of its level is its second line, unless it counts
    a new part."""

    levels: dict[int, str] = field(default_factory=dict)
    last_level: int = 0
    last_page: int = 0
    opening: bool = True

    def enter(self, heading: Block) -> None:
        title = " ".join(heading.text.split())[:200]
        if (self.last_level, self.last_page) == (heading.level, heading.page) and not NUMBERED.match(title):
            title = f"{self.levels[heading.level]}: {title}"[:200]
        self.levels = {level: text for level, text in self.levels.items() if level < heading.level}
        self.levels[heading.level] = title
        self.last_level, self.last_page = heading.level, heading.page
        self.opening = True

    def path(self) -> str:
        titles = [self.levels[level] for level in sorted(self.levels)]
        return " > ".join(titles[-2:])


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

    def feed(self, block: Block) -> Iterator[ChunkDraft]:
        if block.level:
            yield from self._flush(keep_overlap=False)
            self._section.enter(block)
            return
        self._section.last_level = 0
        for sentence in self._sentences(block):
            if self._open and self._tokens() + sentence.tokens > self._limit_for(sentence):
                yield from self._flush(keep_overlap=True)
            self._open.append(sentence)

    def close(self) -> Iterator[ChunkDraft]:
        yield from self._flush(keep_overlap=False)

    def _limit_for(self, sentence: _Sentence) -> int:
        """Between target and most only a sentence that continues a paragraph may still come in."""
        return self._limits.target if sentence.opens_paragraph else self._limits.most

    def _tokens(self) -> int:
        return sum(sentence.tokens for sentence in self._open)

    def _sentences(self, block: Block) -> Iterator[_Sentence]:
        texts = split_sentences(block.text)
        first = True
        for text, tokens in zip(texts, self._sizes(texts), strict=True):
            for piece, size in self._fit(text, tokens):
                yield _Sentence(piece, size, block.page, first)
                first = False

    def _fit(self, text: str, tokens: int) -> list[tuple[str, int]]:
        """A sentence longer than a chunk is cut between words, and a word longer than that between characters."""
        if tokens <= self._limits.target:
            return [(text, tokens)]
        pieces = _cut_evenly(text, tokens // self._limits.target + 1)
        sizes = self._sizes(pieces)
        return [fitting for piece, size in zip(pieces, sizes, strict=True) for fitting in self._fit(piece, size)]

    def _sizes(self, texts: Sequence[str]) -> list[int]:
        """Tokens, and no fewer than long words deserve that the model knows as one unknown token."""
        counted = self._count(texts)
        return [max(tokens, len(text) // _LETTERS_A_TOKEN) for tokens, text in zip(counted, texts, strict=True)]

    def _flush(self, *, keep_overlap: bool) -> Iterator[ChunkDraft]:
        fresh = self._open[self._repeated :]
        if fresh:
            tokens = self._tokens()
            text, path = _join(self._open), self._section.path()
            yield ChunkDraft(self._position, text, path, fresh[0].page, tokens, self._section.opening and bool(path))
            self._position += 1
            self._section.opening = False
        last = self._open[-1:] if keep_overlap and fresh and fresh[-1].tokens <= self._limits.overlap else []
        self._open = last
        self._repeated = len(last)


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
    parts: list[str] = []
    for sentence in sentences:
        if parts:
            parts.append("\n\n" if sentence.opens_paragraph else " ")
        parts.append(sentence.text)
    return "".join(parts)

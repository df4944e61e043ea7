"""The default model: the vectors of all-MiniLM-L6-v2 and of universal-sentence-encoder-multilingual side by side.

The cosine of two such vectors is the mean of the two cosines. Each model errs on other questions, so that the mean
finds more than either (bench/knowledge/ranking.py).
"""

from __future__ import annotations

from libs import memory
from services.knowledge.embed import minilm, use
from services.knowledge.embed.embedder import Vector

MODEL = "all-MiniLM-L6-v2-int8+use-multilingual-v3"
# Each part has length one; so scaled, the whole has too.
_HALF = 0.5**0.5


def load() -> None:
    """Both models, once a process."""
    minilm.load()
    use.load()
    memory.give_back()


def vectors_of(texts: list[str]) -> list[Vector]:
    both = zip(minilm.vectors_of(texts), use.vectors_of(texts), strict=True)
    return [[_HALF * value for value in (*english, *multilingual)] for english, multilingual in both]

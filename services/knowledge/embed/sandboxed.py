"""An embedder whose model runs in forks of a sandbox that has loaded it.

The process's own memory does not grow, and what the model does with a hostile text ends its fork at worst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from libs.sandbox import LimitExceeded, Limits, Sandbox, SandboxError, Usage
from services.knowledge.embed.embedder import EmbedderUnavailable, Vector
from services.knowledge.embed.models import DEFAULT, Model

# 16 texts of 256 tokens take 2.3 s of one processor without AVX-512 (docs/adr/0031), several times as long by
# multilingual-e5-small; the rest is for a busy machine.
_LIMITS = Limits(memory_mb=384, cpu_seconds=30, wall_seconds=120.0)


class SandboxedEmbedder:
    """`processes` forks compute at once. The texts of a call are divided among those that are free: a fork costs as
    much as a short text, so that calls which wait for each other take one each."""

    def __init__(self, processes: int, model: Model = DEFAULT) -> None:
        self._model = model
        module = model.load.__module__
        self._sandbox = Sandbox((module,), (f"{module}:load",))
        self._processes = max(1, processes)
        self._free = asyncio.Semaphore(self._processes)
        self._asked = 0

    @property
    def model(self) -> str:
        return self._model.name

    @property
    def languages(self) -> frozenset[str] | None:
        return self._model.languages

    async def embed_question(self, question: str) -> Vector:
        try:
            return (await self._run(self._model.questions, [question], None))[0]
        except SandboxError:
            raise EmbedderUnavailable from None

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        share = max(1, -(-len(texts) // max(1, self._processes - self._asked)))
        parts = [list(texts[start : start + share]) for start in range(0, len(texts), share)]
        self._asked += len(parts)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run(self._model.passages, part, usage)) for part in parts]
        except* SandboxError:
            raise EmbedderUnavailable from None
        finally:
            self._asked -= len(parts)
        return [vector for task in tasks for vector in task.result()]

    async def start(self) -> None:
        await self._sandbox.start()

    async def close(self) -> None:
        await self._sandbox.close()

    async def _run(
        self, compute: Callable[[list[str]], list[Vector]], texts: list[str], usage: Usage | None
    ) -> list[Vector]:
        async with self._free:
            vectors = await self._sandbox.run(compute, texts, limits=_LIMITS, usage=usage)
        if len(vectors) != len(texts) or any(len(vector) != self._model.dimensions for vector in vectors):
            raise LimitExceeded("output")
        return list(vectors)

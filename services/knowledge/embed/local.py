"""An embedder whose model runs in a thread of this process: for questions. Documents are computed by `sandboxed`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from libs.sandbox import Usage
from services.knowledge.embed.embedder import EmbedderUnavailable, Vector
from services.knowledge.embed.models import DEFAULT, Model


class LocalEmbedder:
    """`threads` texts are computed at once."""

    def __init__(self, threads: int, model: Model = DEFAULT) -> None:
        self._model = model
        self._executor = ThreadPoolExecutor(max(1, threads), thread_name_prefix="embed")
        self._closed = False
        # Now, so that no question waits for it: loading takes longer than a search may.
        self._executor.submit(model.load)

    @property
    def model(self) -> str:
        return self._model.name

    @property
    def languages(self) -> frozenset[str] | None:
        return self._model.languages

    async def embed_question(self, question: str) -> Vector:
        return (await self.embed([question]))[0]

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._executor, self._embed, text) for text in texts))

    async def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _embed(self, text: str) -> Vector:
        if self._closed:  # the process waits for its threads before it ends
            raise EmbedderUnavailable
        return self._model.passages([text])[0]

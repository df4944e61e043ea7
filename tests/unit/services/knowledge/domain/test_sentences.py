from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.knowledge.domain.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met Mr. J. Doe at 5 p.m. sharp.", ["Dr. Smith met Mr. J. Doe at 5 p.m. sharp."]),
        ("It cost 3.50 dollars. Fine.", ["It cost 3.50 dollars.", "Fine."]),
        ('"Stop!" He ran. (So did I.) Then…', ['"Stop!"', "He ran.", "(So did I.)", "Then…"]),
        ("He said so. and went on.", ["He said so. and went on."]),
        ("猫が好き。犬も好き。", ["猫が好き。", "犬も好き。"]),
        ("", []),
        ("   ", []),
    ],
)
def test_sentences_end_where_they_end(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="aB. !?。\"'\n", max_size=200))
def test_nothing_but_space_is_lost(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())

from __future__ import annotations

import pytest

from services.knowledge.domain.words import more_words, respelled


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Plain English words, and more.", ""),
        ("The KX-4471 lamp", "KX 4471"),
        ("returns/exchanges by post", "returns exchanges"),
        ("write to jo.doe@shop.example", "jo doe shop example"),
        ("set LAMP_TIMEOUT", "LAMP TIMEOUT"),
        ("C++ and node.js", "node js"),
        ("Königshafen, Café", "Konigshafen Cafe"),
        ("顾客可以在三十天内申请退款。", "顾客 客可 可以 以在 在三 三十 十天 天内 内申 申请 请退 退款"),
        ("Склад закрыт", ""),
        ("型番KX", "型番 KX"),
        ("🍂", ""),
    ],
)
def test_a_text_has_further_words(text: str, more: str) -> None:
    assert more_words(text) == more


@pytest.mark.parametrize(
    ("question", "again"),
    [("lamp price", ""), ("KX-4471 price", "KX 4471 price"), ("退款", "退款"), ("Café open", "Cafe open")],
)
def test_a_question_is_asked_again_by_its_further_words(question: str, again: str) -> None:
    assert respelled(question) == again

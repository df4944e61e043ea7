from __future__ import annotations

from services.knowledge.domain.highlights import Highlight, offsets


def test_marks_become_offsets_in_code_points() -> None:
    assert offsets("𝔞 \x02bc\x03 d \x02e\x03", "𝔞 bc d e") == [Highlight(2, 4), Highlight(7, 8)]
    assert offsets("plain", "plain") == []


def test_a_text_that_was_changed_has_no_highlights() -> None:
    assert offsets("\x02a\x03 b", "a  b") == []
    assert offsets("\x03a\x02", "a") == []

from __future__ import annotations

import pytest

from libs.errors import InvalidArgument
from services.knowledge.domain.entry import Described
from services.knowledge.domain.validation import (
    check_content,
    check_described,
    check_max_results,
    plain_file_name,
    title_from_file_name,
)


def test_words_are_trimmed_and_tags_made_unique() -> None:
    assert check_described(Described(" a ", " c ", (" x", "x ", "y"), " s ")) == Described("a", "c", ("x", "y"), "s")


def test_every_violation_is_told() -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_described(Described("a\x00", "c" * 101, ("", *(str(n) for n in range(51))), "s" * 2001))

    assert [(found.pointer, found.code) for found in refused.value.violations] == [
        ("#/title", "invalid_character"), ("#/category", "too_long"), ("#/source", "too_long"), ("#/tags", "too_many"),
        ("#/tags/0", "required"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", " * ", "x" * (1024 * 1024 + 1), "a\x00"])
def test_content_must_say_something_and_fit(content: str) -> None:
    with pytest.raises(InvalidArgument):
        check_content(content)


def test_a_result_count_has_bounds() -> None:
    assert [check_max_results(wanted) for wanted in (0, 1, 50)] == [10, 1, 50]
    for wanted in (-1, 51):
        with pytest.raises(InvalidArgument):
            check_max_results(wanted)


@pytest.mark.parametrize(
    ("given", "name", "title"),
    [
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\docs\\Annual_Report 2024.pdf", "Annual_Report 2024.pdf", "Annual Report 2024"),
        ("a\r\nb.txt", "ab.txt", "ab"),
        ("", "document", "document"),
        ("x" * 300 + ".txt", ("x" * 300 + ".txt")[-255:], "x" * 200),
    ],
)
def test_a_file_name_is_only_shown(given: str, name: str, title: str) -> None:
    assert plain_file_name(given) == name
    assert title_from_file_name(name) == title

import pytest

from libs.text import has_unseen, search_words, trimmed

UNSEEN = ("", " ", "\u200b", "\u00a0\u2060", "\ufeff", "\u3164", "\u2800 ", "\u0301", "\u202e\u202c")
# A plain letter, Han, an emoji joined by U+200D, Persian with U+200C, a sign, a letter with its mark.
SEEN = (
    "a",
    "\u5317\u4eac",
    "\U0001f469\u200d\U0001f680",
    "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "-",
    "e\u0301",
)


@pytest.mark.parametrize("text", UNSEEN)
def test_a_text_of_which_nothing_can_be_seen_is_empty(text: str) -> None:
    assert trimmed(text) == ""


@pytest.mark.parametrize("text", SEEN)
def test_a_text_with_something_to_see_is_kept(text: str) -> None:
    assert trimmed(f" {text}\n") == text


def test_unseen_characters_are_found_inside() -> None:
    assert has_unseen("a\u200bb@example.com")
    assert has_unseen("a b")
    assert not has_unseen("ünïcode+tag@example.com")


@pytest.mark.parametrize(
    ("typed", "searched"),
    [
        ("tea -coffee", "tea -coffee"),
        ('tea -"black coffee"', 'tea -"black coffee"'),
        ("well-known KX-4471", "well-known KX-4471"),
        ("well--known", "well known"),
        ("tea --coffee", "tea  coffee"),
        ("tea - coffee -", "tea   coffee  "),
        ("-" * 1000, " "),
        ("- " * 1000, "  "),
        ("-(" * 1000 + "a", " (a"),
    ],
)
def test_a_dash_excludes_only_the_word_that_it_stands_before(typed: str, searched: str) -> None:
    assert search_words(typed) == searched

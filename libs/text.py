"""Text as people see it: which characters are visible. Pure.

Categories are Unicode's general categories (UAX #44).
"""

import re
import unicodedata

# Letters and symbols by category that no font draws.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))
# Marks are drawn on the letter before them; without one there is nothing to see.
_MARKS = frozenset(("Mn", "Me"))

# Dashes that exclude no word. PostgreSQL nests an operator for each and overflows its stack at a hundred of them.
_IDLE_DASHES = re.compile(r'-(?:[^\w"-]*-)+|-(?![\w"])')


def trimmed(text: str) -> str:
    """The text without white space at its ends; empty when no character of it can be seen."""
    return text.strip() if any(_is_seen(letter) for letter in text) else ""


def search_words(text: str) -> str:
    """A search as people type it, for websearch_to_tsquery: a dash stays only where it stands right before the one word
    or phrase that it excludes."""
    return _IDLE_DASHES.sub(" ", text)


def has_unseen(text: str) -> bool:
    """Whether a character of it takes no ink: spaces, controls, zero-width and filler characters."""
    return any(unicodedata.category(letter) in _UNSEEN or letter in _FILLERS for letter in text)


def _is_seen(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category not in _UNSEEN and category not in _MARKS and letter not in _FILLERS

"""The language of a text, told from its letters (eld: n-grams of 60 languages, loaded by the first text).

Answers only languages whose words a search treats in their own way, and their neighbors that would be mistaken for
them. Which stemmer a language has is PostgreSQL's matter: `text_dictionary` in libs/postgres/engine.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate, chain
from typing import Any

# Characters of one look, and looks over a text: eld reads a thousand characters at most.
_LOOK = 1_000
# Looks at one text, evenly over its length. More: slower, and no better on whole documents.
_LOOKS = 5
# Without rare languages that short texts are mistaken for: Malay for Indonesian, Marathi for Hindi.
_KNOWN = frozenset(
    (
        "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hr",
        "hu", "hy", "it", "ja", "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "ta",
        "th", "tr", "uk", "ur", "vi", "zh",
    )
)  # fmt: skip


def detect(text: str) -> str:
    """The text's language by ISO 639-1, '' for a text without letters or of a script that is not known."""
    detector = _detector()
    step = max(_LOOK, len(text) // _LOOKS)
    scores: dict[str, float] = {}
    for start in range(0, max(1, len(text)), step):
        found = detector.detect(text[start : start + _LOOK]).scores() or {}
        for language, score in found.items():
            if language in _KNOWN:
                scores[language] = scores.get(language, 0.0) + score
    return max(scores, key=scores.__getitem__) if scores else ""


@functools.cache
def _detector() -> Any:
    from eld import LanguageDetector
    from eld.languageData import languageData

    detector = LanguageDetector()
    loaded = languageData.ngrams
    languageData.ngrams = Ngrams(loaded)
    loaded.clear()  # eld's module holds it too
    return detector


class Ngrams:
    """eld's frequencies by n-gram and language in arrays: 2 MB instead of 105,548 dictionaries in 34."""

    def __init__(self, table: Mapping[bytes, Mapping[int, int]]) -> None:
        frequencies = {_number(ngram): found for ngram, found in table.items()}
        numbers = sorted(frequencies)
        ordered = [frequencies[number] for number in numbers]
        self._numbers = array("Q", numbers)
        self._ends = array("I", accumulate(map(len, ordered)))
        self._languages = bytes(chain.from_iterable(ordered))
        self._frequencies = array("H", list(chain.from_iterable(found.values() for found in ordered)))
        self._last: tuple[bytes, dict[int, int]] = b"", {}

    def __contains__(self, ngram: bytes) -> bool:
        self._last = ngram, self._frequencies_of(ngram)
        return bool(self._last[1])

    def __getitem__(self, ngram: bytes) -> dict[int, int]:
        """Frequencies by language, in the order of the table; none for another n-gram. eld asks twice for the one that
        it has just found."""
        last, found = self._last
        return found if last == ngram else self._frequencies_of(ngram)

    def _frequencies_of(self, ngram: bytes) -> dict[int, int]:
        number = _number(ngram)
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return {}
        part = slice(self._ends[place - 1] if place else 0, self._ends[place])
        return dict(zip(self._languages[part], self._frequencies[part], strict=True))


def _number(ngram: bytes) -> int:
    """Another one for each n-gram; those of the table have at most six bytes."""
    return int.from_bytes(b"\x01" + ngram, "big")

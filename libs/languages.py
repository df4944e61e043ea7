"""The language of a text, told from its letters (eld: n-grams of 60 languages, 46 MB, loaded by the first text).

Answers only languages whose words a search treats in their own way, and their neighbors that would be mistaken for
them. Which stemmer a language has is PostgreSQL's matter: `text_dictionary` in libs/postgres/engine.
"""

from __future__ import annotations

import functools
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

    return LanguageDetector()

"""The words that PostgreSQL's parser does not find by itself, so that they are indexed and asked for alike.

Parts of compounds (`KX-4471` is also found by `4471`), words without their accents, and pairs of characters of scripts
that write no spaces. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_TOKEN = re.compile(r"\S+")
_COMPOUND = re.compile(r"[^\W_]+(?:[-/_.@:+#]+[^\W_]+)+")
_PART = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0e7f]+|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+")
_MARKED = re.compile(r"[^\W\d_]*[\u00c0-\u024f\u1e00-\u1eff][^\W\d_]*")


def more_words(text: str) -> str:
    """Further words of a text, to be indexed beside it; '' for most English text."""
    return " ".join(dict.fromkeys(word for token in _TOKEN.findall(text) for word in _more(token)))


def respelled(question: str) -> str:
    """The question with each word that has further forms replaced by them; '' when there is none."""
    words = [(token, list(_more(token))) for token in _TOKEN.findall(question)]
    if not any(more for _, more in words):
        return ""
    return " ".join(" ".join(more) or token for token, more in words)


def _more(token: str) -> Iterator[str]:
    if token.isascii() and token.isalpha():
        return
    runs = _UNSPACED.findall(token)
    for run in runs:
        yield from (run[start : start + 2] for start in range(max(1, len(run) - 1)))
    if runs:
        yield from (part for rest in _UNSPACED.split(token) for part in _PART.findall(rest))
        return
    for compound in _COMPOUND.findall(token):
        yield from map(_plain, _PART.findall(compound))
    if not _COMPOUND.search(token):
        yield from map(_plain, _MARKED.findall(token))


def _plain(word: str) -> str:
    """Without accents: Königshafen is also found by Konigshafen."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", word) if not unicodedata.combining(mark))

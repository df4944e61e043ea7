"""Splits a paragraph into sentences by rule: punctuation, what follows it, and a short list of abbreviations.

Pure and linear in the text's length. Used only to choose where a chunk may end, so a missed boundary costs little and
a false one is what the rules avoid.
"""

from __future__ import annotations

import re

# An end mark with its closing quotes, then a space, then something that can open a sentence; or a CJK full stop.
_BOUNDARY = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s+[\"'“‘«(\[`]*[A-Z0-9À-ÞА-ЯΑ-Ω])|[。！？]+[」』”]*)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘\[`])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Rev|Hon|No|Nos|Fig|Figs|Eq|Sec|Ch|Vol|pp?|"
    r"vs|cf|ca|approx|al|ed|eds|Inc|Ltd|Co|Corp|e\.g|i\.e|viz|U\.S|a\.m|p\.m)\.$"
)
# Characters that are searched back for an abbreviation.
_LONGEST_ABBREVIATION = 10


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph in order, without surrounding space. Joined by a space they give the paragraph."""
    sentences: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        end = match.end()
        if _ABBREVIATION.search(text[max(start, end - _LONGEST_ABBREVIATION) : end]):
            continue
        sentence = text[start:end].strip()
        if sentence:
            sentences.append(sentence)
        start = end
    tail = text[start:].strip()
    if tail:
        sentences.append(tail)
    return sentences

"""Keeps secrets out of log lines: by a field's name, by the shape of a text, and by the values this process was given.

Applied to every text of every record, tracebacks included. It masks rather than drops, so that a line stays readable.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

MASK = "[redacted]"
# Characters. Shorter values are not masked, because they would also match ordinary text.
_SHORTEST_SECRET = 8

_SECRET_NAME = re.compile(
    r"passw|secret|credential|authori[sz]ation|cookie|signature|api[-_]?key$|private[-_]?key|signing[-_]?key"
    r"|(?:^|[-_])(?:token|otp|jwt)s?$|(?:access|session|refresh|bearer)[-_]?token",
    re.IGNORECASE,
)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"']*:[^\s/@\"']*@"), rf"\1{MASK}@"),
    (re.compile(r"\b(whsec|sk|rk|esx)_[A-Za-z0-9+/=_-]{20,}"), rf"\1_{MASK}"),
    # 256 random bits in base62, as sessions and one-time tokens are (libs.crypto.random_token).
    (re.compile(r"(?<![\w-])[A-Za-z0-9]{43}(?![\w-])"), MASK),
    (
        re.compile(
            r"(?i)([\"']?[\w-]*(?:passw(?:or)?d|secret|credentials?|authorization|cookie|api[-_]?key|token)[\"']?"
            r"\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}\])]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), MASK),
)

# What the name of a key has beside letters and digits.
_PUNCTUATION = str.maketrans("", "", "-_/.")

_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None


def register(values: Iterable[str]) -> None:
    """Never let these values through again. A DSN counts as its password, a "name=value" key as its value."""
    global _known_pattern
    for value in values:
        _known.update(part for part in _parts(value) if len(part) >= _SHORTEST_SECRET)
    if _known:
        longest_first = sorted(_known, key=len, reverse=True)
        _known_pattern = re.compile("|".join(re.escape(part) for part in longest_first))


def _parts(value: str) -> set[str]:
    if "://" in value:
        passwords = (urlsplit(part).password for part in value.split(","))
        return {form for password in passwords if password for form in (password, unquote(password))}
    name, separator, tail = value.partition("=")
    return {tail} if separator and tail.strip("=") and name.translate(_PUNCTUATION).isalnum() else {value}


def text(value: str) -> str:
    """The text with everything masked that is, or looks like, a secret."""
    if _known_pattern is not None:
        value = _known_pattern.sub(MASK, value)
    for pattern, replacement in _SHAPES:
        value = pattern.sub(replacement, value)
    return value


def value(name: str, content: Any) -> Any:
    """A log field's content with secrets masked: by the field's name at any depth, and in every text."""
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(content, str):
        return text(content)
    if isinstance(content, dict):
        return {str(key): value(str(key), item) for key, item in content.items()}
    if isinstance(content, (list, tuple, set, frozenset)):
        return [value(name, item) for item in content]
    if content is None or isinstance(content, (bool, int, float)):
        return content
    return text(str(content))

"""From bytes of unknown encoding to text: marks first, then strict UTF-8, then a guess by letter statistics."""

import re

from services.knowledge.domain.media import utf16_order

_MARKS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
)
_HTML_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
_SAMPLE_BYTES = 65536


def decode(content: bytes, *, html: bool = False) -> str:
    """Text of `content`. Never fails: bytes that no guess explains read as windows-1252 with replacements."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    unmarked = utf16_order(content[:8192]) if 0 in content[:8192] else None
    if unmarked:
        return content.decode(unmarked, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for guess in (_declared_in_html(content) if html else None, _guess(content)):
        if guess:
            try:
                return content.decode(guess, "replace")
            except LookupError:
                continue
    return content.decode("windows-1252", "replace")


def _declared_in_html(content: bytes) -> str | None:
    match = _HTML_CHARSET.search(content[:4096])
    return match.group(1).decode("ascii") if match else None


def _guess(content: bytes) -> str | None:
    from charset_normalizer import from_bytes  # costs 20 ms to import, and only odd files need it

    best = from_bytes(content[:_SAMPLE_BYTES]).best()
    return best.encoding if best is not None else None

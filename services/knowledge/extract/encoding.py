"""From bytes of unknown encoding to text: byte-order mark, declared label, UTF-8, then a guess (chardetng)."""

from __future__ import annotations

import codecs
import re

import chardetng_py
import webencodings

from services.knowledge.domain.media import HEAD_BYTES, looks_single, utf16_order

_MARKS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
)
_LABEL = re.compile(
    rb"""(?:<meta[^>]{0,200}?charset|<\?xml[^>]{0,100}?encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE
)
# Python's codecs of these names lack the characters that browsers read under them (WHATWG Encoding Standard).
_WIDER = {"shift_jis": "cp932", "euc-kr": "cp949", "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs"}
_JAPANESE_ESCAPE = b"\x1b$"
# Bytes from which an encoding is guessed.
_SAMPLE_BYTES = 1 << 16
# Bytes in which a declared encoding is looked for.
_HEAD_BYTES = 4096


def decode(content: bytes, *, html: bool = False) -> str:
    """Text of `content`. Never fails: bytes that nothing explains become replacement characters."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    head = content[:HEAD_BYTES]
    if not looks_single(head) and (unmarked := utf16_order(head)):
        return content.decode(unmarked, "replace")
    declared = _declared(content) if html else "utf-8"
    if declared not in (None, "utf-8"):
        return content.decode(declared, "replace")
    if _JAPANESE_ESCAPE in content[:_SAMPLE_BYTES]:
        return content.decode("iso2022_jp", "replace")
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if not broken or 2 * broken < sum(not character.isascii() for character in text):
        return text
    guessed = _codec(chardetng_py.detect(content[:_SAMPLE_BYTES]))
    # The guess does not tell Latin-9 from Windows-1252, and nothing but a euro stands where it stands.
    return content.decode(guessed, "replace").replace("¤", "€")


def _declared(content: bytes) -> str | None:
    """The codec of the first label in the head. A page that declares UTF-16 in readable ASCII is UTF-8."""
    match = _LABEL.search(content[:_HEAD_BYTES])
    known = webencodings.lookup(match.group(1).decode("ascii")) if match else None
    if known is None:
        return None
    return "utf-8" if known.name.startswith("utf-16") else _codec(known.name, known.codec_info.name)


def _codec(name: str, fallback: str = "windows-1252") -> str:
    wanted = _WIDER.get(name.lower(), name)
    try:
        return codecs.lookup(wanted).name
    except LookupError:
        return fallback

"""From bytes of unknown encoding to text: byte-order mark, valid UTF-8, declared label, then a guess (chardetng)."""

from __future__ import annotations

import codecs
import re

import chardetng_py
import webencodings

from libs.languages import detect
from services.knowledge.domain.media import HEAD_BYTES, looks_single, unmarked_order

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
# What a page shows to no reader may hold a label of another page.
_UNREAD = re.compile(rb"<!--.*?-->|<script\b.*?</script", re.IGNORECASE | re.DOTALL)
# Python's codecs of these names lack the characters that browsers read under them (WHATWG Encoding Standard).
_WIDER = {"shift_jis": "cp932", "euc-kr": "cp949", "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs"}
_JAPANESE_ESCAPE = b"\x1b$"
# Short texts in languages of the Baltic are taken for others in encodings that share most letters with theirs.
_BESIDE_BALTIC = ("cp1250", "cp1252", "cp1254", "cp1258", "iso8859-4", "iso8859-13")
_BALTIC = ("et", "lt", "lv")
# Encodings that the guess does not know.
_UNGUESSED = ("iso8859-15", "mac_roman", "cp850", "mac_cyrillic")
_ODD = re.compile(r"(?<=[a-zß-žа-я])(?:[^\w\s\x00-\x7f’·\xad‐-—-]|[À-ÞŠŒŽА-Я])(?=[^\W\d_])|\ufffd|[\x80-\x9f]|½(?=u)")
# Bytes from which an encoding is guessed.
_SAMPLE_BYTES = 1 << 16
# Bytes in which a declared encoding is looked for.
_HEAD_BYTES = 4096


def decode(content: bytes, *, html: bool = False, label: str = "") -> str:
    """Text of `content`; `label` is the encoding that its sender declares, where it does. Never fails: bytes that
    nothing explains become replacement characters."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    head = content[:HEAD_BYTES]
    if not looks_single(head) and (unmarked := unmarked_order(head)):
        return content.decode(unmarked, "replace")
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if not broken and not content.isascii():
        return text  # no text in another encoding is valid UTF-8 by chance
    declared = _known(label) or (_declared(content) if html else None)
    if declared not in (None, "utf-8"):
        return content.decode(declared, "replace")
    if _JAPANESE_ESCAPE in content[:_SAMPLE_BYTES]:
        return content.decode("iso2022_jp", "replace")
    if not broken or 2 * broken < sum(not character.isascii() for character in text):
        return text
    return _guessed(content)


def _guessed(content: bytes) -> str:
    """The guess does not know the encodings of DOS and of the Macintosh. They are tried where a word of the guessed
    text has a sign or a capital in its middle."""
    guess = _codec(chardetng_py.detect(content[:_SAMPLE_BYTES]))
    text = content.decode(guess, "replace")
    if guess in _BESIDE_BALTIC and detect(text) in _BALTIC:
        return content.decode("cp1257", "replace")
    if odd := len(_ODD.findall(text)):
        others = [content.decode(name, "replace") for name in _UNGUESSED]
        text = min((text, *others), key=lambda one: len(_ODD.findall(one)) if one is not text else odd)
    # The guess does not tell Latin-9 from Windows-1252, and nothing but a euro stands where it stands.
    return text.replace("¤", "€")


def _declared(content: bytes) -> str | None:
    """The codec of the first label in the head. A page that declares UTF-16 in readable ASCII is UTF-8."""
    match = _LABEL.search(_UNREAD.sub(b"", content[:_HEAD_BYTES]))
    return _known(match.group(1).decode("ascii")) if match else None


def _known(label: str) -> str | None:
    known = webencodings.lookup(label)
    if known is None:
        return None
    return "utf-8" if known.name.startswith("utf-16") else _codec(known.name, known.codec_info.name)


def _codec(name: str, fallback: str = "windows-1252") -> str:
    wanted = _WIDER.get(name.lower(), name)
    try:
        return codecs.lookup(wanted).name
    except LookupError:
        return fallback

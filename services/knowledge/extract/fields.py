"""Check boxes and lists of Word's older forms as words of their line: xberg reads only what was typed into a form."""

from __future__ import annotations

import re

_FIELD = re.compile(
    rb"<((?:\w+:)?)r\b[^<>]*>(?:<\1rPr>(?:(?!</\1rPr>).){0,500}</\1rPr>)?"
    rb"<\1fldChar\b[^<>]*>\s*<\1ffData\b[^<>]*>((?:(?!</\1ffData>).){0,9000})</\1ffData>",
    re.DOTALL,
)
# What was chosen, which is written only where it differs from what the form proposes.
_CHOICE = re.compile(rb"""<(?:\w+:)?(checked|result|default)\b(?:[^<>]*?val=["'](\w+)["'])?""")
_ENTRY = re.compile(rb"""<(?:\w+:)?listEntry\b[^<>]*?val=(?:"([^"]*)"|'([^']*)')""")


def fields_said(data: bytes) -> bytes:
    """A part of Word with ☒ or ☐, or the entry that was chosen, before each such field."""
    return _FIELD.sub(_said, data) if b"ffData" in data else data


def _said(field: re.Match[bytes]) -> bytes:
    prefix, form = field.groups()
    chosen: dict[bytes, bytes] = dict(_CHOICE.findall(form))
    choice = chosen.get(b"checked", chosen.get(b"result", chosen.get(b"default", b"0")))
    if b"checkBox>" in form:
        text = "☐".encode() if choice in (b"0", b"false", b"off") else "☒".encode()
    else:
        entries = [first or second for first, second in _ENTRY.findall(form)]
        text = entries[int(choice)] if choice.isdigit() and int(choice) < len(entries) else b""
    return b"<@r><@t>%b</@t></@r>".replace(b"@", prefix) % text + field[0] if text else field[0]

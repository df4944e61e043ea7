"""Numbers of a worksheet as it shows them: percent, currency, leading zeros, no more digits than a program has.

Dates are the reader's own.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from services.knowledge.extract.elements import tree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
# Formats that every program knows by their number (ECMA-376, 18.8.30).
_KNOWN = {"0": "General", "2": "0.00", "4": "0.00", "9": "0%", "10": "0.00%", "39": "0.00", "40": "0.00"}
# A cell of a number, written or computed.
_CELL = re.compile(
    rb"<((?:\w+:)?c)\b([^<>]*)>\s*((?:<(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f>))?)"
    rb"\s*<((?:\w+:)?v)>([-+.0-9eE]{1,40})</\4>\s*</\1>"
)
_ATTRIBUTE = re.compile(rb"""\b(s|t)=["'](\w+)["']""")
_LITERAL = re.compile(r'\[\$([^\]-]*)[^\]]*\]|"([^"]*)"|\\(.)|([$€£¥%])|_.|\*.|\[[^\]]*\]')
# What is left of a format of plain numbers.
_DIGITS = re.compile(r"[#,\s-]*(0*)[#,]*(?:\.([0#]+))?[\s-]*")
_SCALED = re.compile(r"[0#],+(?![,0#])")
# What programs show of a number with decimals: 0.1 + 0.2 is written as 0.30000000000000004.
_PRECISION = Context(prec=15, rounding=ROUND_HALF_UP)


class NumberFormats:
    """`styles` is the part of that name; a part that is no XML has no formats."""

    def __init__(self, styles: bytes) -> None:
        root = tree(styles)
        space = _STRICT if root.tag.startswith(_STRICT) else _MAIN
        codes = {node.get("numFmtId", ""): node.get("formatCode", "") for node in root.iter(f"{space}numFmt")}
        cells = root.find(f"{space}cellXfs")
        used = [] if cells is None else [node.get("numFmtId", "") for node in cells]
        self._by_style = {str(style): (_KNOWN | codes).get(number, "") for style, number in enumerate(used)}

    def shown(self, sheet: bytes) -> bytes:
        """The worksheet with texts in place of the numbers that are shown otherwise than they are written."""
        return _CELL.sub(self._shown, sheet)

    def _shown(self, cell: re.Match[bytes]) -> bytes:
        name, attributes, formula, value, number = cell.groups()
        said = dict(_ATTRIBUTE.findall(attributes))
        code = self._by_style.get(said.get(b"s", b"0").decode(), "General")
        text = _text(number, code) if said.get(b"t", b"n") == b"n" else ""
        if not text:
            return cell.group()
        kept = re.sub(rb"""\s[st]=["']\w+["']""", b"", attributes)
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").encode()
        return b'<%b%b t="str">%b<%b>%b</%b></%b>' % (name, kept, formula, value, escaped, value, name)


def _text(written: bytes, code: str) -> str:
    """'' for a format that adds nothing or is none of plain numbers, and for what is no number."""
    try:
        number = Decimal(written.decode())
    except InvalidOperation:
        return ""
    if code == "General":
        computed = _PRECISION.plus(number)
        return f"{computed:f}".rstrip("0").rstrip(".") if computed != number != number.to_integral_value() else ""
    code = code.partition(";")[0]
    before, after, percent = "", "", False
    digits = _LITERAL.sub("", code)
    form = _DIGITS.fullmatch(digits)
    # A comma behind the last digit divides by a thousand; such numbers stay as they are written.
    if form is None or not re.search("[0#]", digits) or _SCALED.search(digits):
        return ""
    middle = min((code.find(sign) for sign in "0#" if sign in code), default=0)
    for literal in _LITERAL.finditer(code):
        said = next((group for group in literal.groups() if group), "")
        percent = percent or literal.group(4) == "%"  # a quoted one is text and scales nothing
        if literal.start() < middle:
            before += said
        else:
            after += said
    zeros, decimals = len(form.group(1)), len(form.group(2) or "")
    # As Excel rounds: a half goes up, of what the file writes.
    value = str((abs(number) * (100 if percent else 1)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))
    if "#" in (form.group(2) or ""):
        value = value.rstrip("0").rstrip(".")
    if not (before + after).strip() and zeros < 2 and Decimal(value) != abs(number):
        return ""
    value = value.zfill(zeros + (decimals + 1 if decimals else 0))
    before = f"{before} " if before[-1:].isalpha() else before
    unit = after if not after.strip() or after.startswith((" ", "%")) else f" {after}"
    return f"{'-' if number < 0 else ''}{before}{value}{unit}".strip()

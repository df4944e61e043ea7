"""Values that break programs which trust their clients, by where they stand: in JSON, in a query, in a path."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

_DIGITS = "12345678901234567890123456789012345678901"

# As JSON is written, because some of them are no JSON at all or have no form in Python.
IN_JSON = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus one": "-1",
    "a fraction": "1.5",
    "one beyond 2^53": "9007199254740993",
    "2^63": "9223372036854775808",
    "41 digits": _DIGITS,
    "minus 41 digits": f"-{_DIGITS}",
    "an endless number": "9" * 5_000,
    "a huge exponent": "1e400",
    "a tiny fraction": "1e-320",
    "NaN": "NaN",
    "the text NaN": '"NaN"',
    "41 digits as text": f'"{_DIGITS}"',
    "an exponent as text": '"1e3"',
    "other digits": '"\u0663\u0664"',
    "an empty text": '""',
    "blanks": '"   "',
    "only invisible characters": '"\\u200b\\u2060"',
    "NUL": '"a\\u0000b"',
    "half a surrogate pair": '"a\\ud800b"',
    "right to left": '"\\u202eabc\\u0645\\u0631\\u062d\\u0628\\u0627"',
    "a run of dashes": f'"{"-" * 1_000}"',
    "dashes and words": f'"{"-a " * 330}"',
    "open quotes and brackets": '"' + '\\"((!&|' * 60 + '"',
    "a long text": f'"{"x" * 120_000}"',
    "a combining run": '"a' + "\u0301" * 900 + '"',
    "a zero time": '"0001-01-01T00:00:00Z"',
    "a time before all years": '"0001-01-01T00:00:00+23:59"',
    "a time after all years": '"9999-12-31T23:59:59-23:59"',
    "the year 10000": '"10000-01-01T00:00:00Z"',
    "30 February": '"2026-02-30T00:00:00Z"',
    "a leap second": '"2016-12-31T23:59:60Z"',
    "an unknown word": '"unheard_of"',
    "a template": '"{{x}} %s ${y} \\\\"',
    "an empty list": "[]",
    "a list of nulls": "[null, null]",
    "a list of lists": "[[[1]]]",
    "a long list": f"[{','.join(['1'] * 3_000)}]",
    "an empty object": "{}",
    "an object of oddities": '{"": null, "__proto__": {"x": 1}, "a.b": [], "~/": 1}',
    "a repeated key": '{"a": 1, "a": 2}',
    "nested lists": "[" * 60 + "]" * 60,
    "nested objects": '{"a":' * 60 + "1" + "}" * 60,
    "endless nesting": "[" * 20_000,
}
_IN_QUERY = {
    "empty": "",
    "blanks": "   ",
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus one": "-1",
    "a fraction": "1.5",
    "2^63": "9223372036854775808",
    "41 digits": _DIGITS,
    "an endless number": "9" * 3_000,
    "a huge exponent": "1e400",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "other digits": "\u0663",
    "only invisible characters": "\u200b",
    "NUL": "a\x00b",
    "right to left": "\u202e\u0645\u0631",
    "a run of dashes": "-" * 200,
    "an endless run of dashes": "-" * 3_000,
    "dashes and words": "-a " * 60,
    "open quotes and brackets": '"((!&|:*<->' * 18,
    "wildcards": "%_\\",
    "a zero time": "0001-01-01T00:00:00Z",
    "a time before all years": "0001-01-01T00:00:00+23:59",
    "a time after all years": "9999-12-31T23:59:59-23:59",
    "the year 10000": "10000-01-01T00:00:00Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "an unknown word": "unheard_of",
    "many words": ",".join(f"w{number}" for number in range(200)),
    "brackets": "[[[[{{{{",
}
IN_QUERY = {name: quote(text, safe="") for name, text in _IN_QUERY.items()} | {
    "broken UTF-8": "%ff%fe",
    "half a surrogate pair": "%ed%a0%80",
    "a broken escape": "%zz",
}
IN_PATH = {name: value for name, value in IN_QUERY.items() if value} | {"a way up": "..%2f..", "a dot": "%2e"}
IN_HEADER = {
    "41 digits": _DIGITS,
    "a quoted long number": f'"{"9" * 400}"',
    "a run of quotes": '"' * 200,
    "a list": ", ".join(['"1"'] * 300),
    "other letters": "\xe9\xff",
    "a long text": "x" * 4_000,
    "an endless range": "bytes=" + "9" * 300 + "-",
    "many ranges": "bytes=" + ",".join(f"{n}-{n}" for n in range(300)),
    "a weak tag": 'W/"1"',
    "a star": "*",
}

# What every type must stand; beyond it a value is tried where its type stands.
_ALWAYS = frozenset((
    "empty", "blanks", "null", "NUL", "broken UTF-8", "an unknown word", "41 digits", "true", "NaN", "an empty text",
    "half a surrogate pair", "an empty list", "an empty object", "an object of oddities", "nested lists",
))  # fmt: skip
_NUMBERS = frozenset((
    "zero", "minus one", "a fraction", "one beyond 2^53", "2^63", "minus 41 digits", "an endless number",
    "a huge exponent", "a tiny fraction", "Infinity", "other digits", "an exponent as text", "41 digits as text",
))  # fmt: skip
_TIMES = frozenset((
    "a zero time", "a time before all years", "a time after all years", "the year 10000", "30 February",
    "a leap second",
))  # fmt: skip


def suits(label: str, schema: dict[str, Any]) -> bool:
    """Whether the value is one of the nasty ones for this schema."""
    options = schema.get("anyOf", [schema])
    if label in _ALWAYS:
        return True
    if label in _NUMBERS:
        return any(option.get("type") in ("integer", "number", "boolean") for option in options)
    if label in _TIMES:
        return any(option.get("format") == "date-time" for option in options)
    closed = ("integer", "number", "boolean")
    return not any(option.get("type") in closed or "enum" in option or "format" in option for option in options)

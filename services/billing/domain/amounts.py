"""Exact numbers: quantities and money as integers of millionths. A float never enters.

A decimal is digits with at most six decimals and no sign, exponent or space: what "1e3" or " 1" means is not guessed.
"""

from __future__ import annotations

import re

from libs.errors import InvalidArgument, Violation

# Millionths in one unit.
MICRO = 1_000_000
_DECIMAL = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?", re.ASCII)


def parse_micros(text: str, pointer: str) -> int:
    """Millionths of a non-negative decimal string; a violation at `pointer` for anything else."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise InvalidArgument(
            "validation_failed",
            "Some fields break a rule.",
            violations=[
                Violation(pointer, "invalid_decimal", "Give a decimal of at least 0 with at most 6 decimals, as text.")
            ],
        )
    return int(match[1]) * MICRO + int((match[2] or "").ljust(6, "0"))


def format_micros(micros: int) -> str:
    """The shortest decimal string of millionths: 61500000 is "61.5", -5 is "-0.000005"."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), MICRO)
    fraction = f"{rest:06d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def seconds_to_micros(seconds: float) -> int:
    """A measured duration as millionths of a second, to the nearest."""
    return round(seconds * MICRO)

"""Rows of a list in the JSON of the HTTP API, made once from columns by the service that owns them.

A page crosses to the gateway as bytes, and the gateway answers these bytes. A message per row and its fields would be
three more representations, at 30 µs a row. tests/contract compares each row with the gateway's schema.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from libs.clock import rfc3339_ms

# Micro-units in one unit of money.
MICROS = 1_000_000
# Integers up to this are exact in a double (IEEE 754); larger ones must not become JSON integers.
_EXACT_FLOAT = 2.0**53
_encoder = msgspec.json.Encoder()


class JsonRow(msgspec.Struct, rename="camel", gc=False):
    """The base of a list's row: its fields in the order of the API's schema."""


class JsonMoney(JsonRow):
    """An amount as a decimal string."""

    amount: str
    currency: str


def json_rows(rows: Sequence[JsonRow]) -> bytes:
    """A JSON array of the rows."""
    return _encoder.encode(rows)


def time_text(moment: datetime | None) -> str | None:
    """2026-01-02T03:04:05.678Z"""
    return None if moment is None else rfc3339_ms(moment)


def number_to_json(number: float) -> int | float | None:
    """A double as JSON: whole numbers without a point while they are exact, null for what JSON has no text."""
    if number.is_integer() and abs(number) < _EXACT_FLOAT:
        return int(number)
    return number if math.isfinite(number) else None


def plain_to_json(value: Any) -> Any:
    """Decoded JSON as it is after a protobuf Struct, whose numbers are doubles."""
    if isinstance(value, dict):
        return {key: plain_to_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain_to_json(one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_to_json(float(value))
    return value


def micros_to_json(micros: int) -> str:
    """10000000 -> "10.00", -12345 -> "-0.012345": at least two decimals, at most six."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS)
    return f"{sign}{whole}.{f'{fraction:06d}'.rstrip('0').ljust(2, '0')}"

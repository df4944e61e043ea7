"""Values between the two wires: protobuf on one side, JSON on the other. Pure functions.

Times are RFC 3339 with milliseconds; money is a decimal string made from micro-units. It must not know any message.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument, Violation
from libs.json_rows import MICROS, number_to_json

_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)


@lru_cache(maxsize=8192)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def time_to_json(stamp: Timestamp) -> str | None:
    """2026-01-02T03:04:05.678Z; None for a field that is not set."""
    seconds, nanos = stamp.seconds, stamp.nanos
    if not seconds and not nanos:
        return None
    return f"{_second(seconds)}.{nanos // 1_000_000:03d}Z"


def is_storable(moment: datetime) -> bool:
    """Whether the time, told in UTC, lies in the years 2 to 9999. The year 1 is what Go and .NET send for no time."""
    try:
        return moment.astimezone(UTC).year > 1
    except OverflowError:
        return False


def set_time(stamp: Timestamp, moment: datetime | None, pointer: str = "#") -> None:
    """Fill a protobuf time; None leaves it unset. Raises InvalidArgument for a time that `is_storable` refuses."""
    if moment is None:
        return
    if not is_storable(moment):
        detail = "Send a time in the years 2 to 9999, or leave the field out; a zero time is no time."
        raise InvalidArgument("validation_failed", detail, violations=[Violation(pointer, "out_of_range", detail)])
    stamp.FromDatetime(moment)


def micros_from_json(amount: str) -> int:
    """ "10.00" -> 10000000; ValueError for anything but a plain non-negative decimal."""
    if not _AMOUNT.fullmatch(amount):
        raise ValueError("not a decimal amount with at most six decimals")
    whole, _, fraction = amount.partition(".")
    return int(whole) * MICROS + int(fraction.ljust(6, "0"))


def decimal_text(value: str | int | float) -> str:
    """A number as a plain decimal string: 1e-7 becomes 0.0000001."""
    return format(Decimal(str(value)), "f")


def struct_to_json(struct: Struct) -> dict[str, Any]:
    """A protobuf Struct as plain values; whole numbers come back as integers."""
    return {key: value_to_json(value) for key, value in struct.fields.items()}


def list_to_json(values: ListValue) -> list[Any]:
    """A protobuf ListValue as plain values."""
    return [value_to_json(value) for value in values.values]


def value_to_json(value: Value) -> Any:
    """One protobuf Value as a plain one."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        return number_to_json(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return struct_to_json(value.struct_value)
    if kind == "list_value":
        return list_to_json(value.list_value)
    return None


def struct_from_json(values: Mapping[str, Any]) -> Struct:
    """Plain values as a protobuf Struct."""
    struct = Struct()
    struct.update(dict(values))
    return struct

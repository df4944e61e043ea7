"""Readers of fields in untrusted JSON. A field with a wrong form reads as unknown (None or empty), never as an error.

An unexpected field of a sender must not lose its message. Text is made storable: PostgreSQL accepts neither NUL nor
lone surrogates.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# The largest value of a bigint column.
_MAX_BIGINT = 2**63 - 1
# Levels of nesting. Protobuf messages allow 100, and a Struct needs several per level.
_MAX_DEPTH = 20
_MAX_UNIX_SECONDS = 4_102_444_800  # the year 2100: a later time is a mistake


def text(source: Mapping[str, Any], name: str, limit: int = 100_000) -> str:
    value = source.get(name)
    return storable(value)[:limit] if isinstance(value, str) else ""


def storable(value: str) -> str:
    """The text with each character that PostgreSQL or UTF-8 cannot hold replaced by U+FFFD."""
    return value.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def storable_json(value: Any, depth: int = 0) -> Any:
    """Every string in a JSON value made storable; numbers that no double holds become text. ValueError if the value is
    nested deeper than protobuf messages may be."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > _MAX_BIGINT:
        return str(value)
    return value


def json_text(source: Mapping[str, Any], name: str) -> Any:
    """The JSON value in a text field, or the field's own object or list, made storable. Text that is not JSON is
    returned as text; an empty field is {}."""
    given, value = source.get(name), text(source, name)
    try:
        if isinstance(given, dict | list):
            return storable_json(given)
        return storable_json(json.loads(value, parse_constant=str)) if value else {}
    except (ValueError, RecursionError):
        return value


def number(source: Mapping[str, Any], name: str) -> float | None:
    """A finite number of at least 0."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MAX_BIGINT and math.isfinite(value) else None


def whole(source: Mapping[str, Any], name: str) -> int | None:
    """A whole number of at least 0 that fits a bigint."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_BIGINT:
        return None
    return value


def flag(source: Mapping[str, Any], name: str) -> bool:
    return source.get(name) is True


def at(source: Mapping[str, Any], path: str) -> Any:
    """The value under a dotted path of names: `source` itself for an empty path, None if the path ends early."""
    value: Any = source
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def section(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def items(source: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; other entries are skipped."""
    value = source.get(name)
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def moment(seconds: float | None) -> datetime | None:
    """A Unix time in seconds as an aware UTC time; 0 and impossible times are unknown."""
    if seconds is None or not 0 < seconds <= _MAX_UNIX_SECONDS:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def iso_moment(source: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 time as an aware UTC time; a time without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(text(source, name, 40))
        found = found.replace(tzinfo=found.tzinfo or UTC)
        return moment(found.timestamp())
    except (ValueError, OverflowError):
        return None

"""Query strings: parsed strictly and decoded into a schema. Unknown and repeated parameters are refused (400).

It must not know what a parameter means.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from gateway.http.json_body import pointer_of
from gateway.http.schema import NoQuery
from gateway.http.wire import is_storable
from libs.errors import InvalidArgument, Violation

T = TypeVar("T", bound=msgspec.Struct)

_MAX_PARAMETERS = 50
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_NO_QUERY = NoQuery()
# Lax conversion accepts more spellings (1e1, 1_0, a number of seconds, TRUE); the API documents only these.
_WRITTEN: Mapping[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile("true|false"), "true or false"),
    int: (re.compile("-?[0-9]{1,30}"), "a whole number in decimal digits"),
    float: (re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?"), "a decimal number"),
    datetime: (re.compile(r"[0-9]{4}-.*"), "a time as of RFC 3339"),
}


def parse_query(raw: bytes) -> dict[str, str]:
    """The parameters, each once."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise InvalidArgument("invalid_query", "Send query parameters as percent-encoded UTF-8.") from None
    found = {name: unicodedata.normalize("NFC", text) for name, text in pairs}
    if len(found) != len(pairs):
        raise InvalidArgument("invalid_query", "A query parameter is repeated. Send each once.")
    if any("\x00" in text for pair in pairs for text in pair):
        raise InvalidArgument("invalid_query", "Remove NUL from query parameters.")
    return found


def words(text: str | None) -> list[str]:
    """The parts of a comma list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def decode_query(asked: dict[str, str], schema: type[T]) -> T:
    """The parameters as an instance of the schema."""
    if not asked and schema is NoQuery:
        return _NO_QUERY  # type: ignore[return-value]
    try:
        query = msgspec.convert(asked, schema, strict=False)
        _refuse_loose(asked, query)
        return query
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None


def _refuse_loose(asked: dict[str, str], query: msgspec.Struct) -> None:
    """Refuse the spellings that lax conversion accepts beyond ours, such as the word null for no value."""
    for name, field in zip(query.__struct_encode_fields__, query.__struct_fields__, strict=True):
        if name not in asked:
            continue
        value = getattr(query, field)
        if value is None:
            raise msgspec.ValidationError(f"Expected a value - at `$.{name}`")
        if isinstance(value, datetime) and not is_storable(value):
            raise msgspec.ValidationError(f"Expected a time in the years 2 to 9999 - at `$.{name}`")
        pattern, wanted = _WRITTEN.get(type(value), (None, ""))
        if pattern is not None and not pattern.fullmatch(asked[name]):
            raise msgspec.ValidationError(f"Expected {wanted} - at `$.{name}`")


def _refusal(message: str) -> InvalidArgument:
    unknown = _UNKNOWN.search(message)
    if unknown is not None:
        detail, pointer, code = "This operation has no such query parameter.", f"#/{unknown[1]}", "unknown_parameter"
    else:
        what, _, path = message.partition(" - at `$")
        detail, pointer, code = f"{what}.", pointer_of(path.rstrip("`")), "invalid_value"
    return InvalidArgument(
        "invalid_query", "Fix the query parameters listed in `errors`.", violations=[Violation(pointer, code, detail)]
    )

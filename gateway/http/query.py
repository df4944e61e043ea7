"""Query strings: parsed strictly and decoded into a schema. Unknown and repeated parameters are refused (400).

It must not know what a parameter means.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from gateway.http.schema import AnyQuery, NoQuery
from gateway.http.violations import in_json_words, kinds_of, violations_of
from gateway.http.wire import is_storable
from libs.errors import InvalidArgument, Violation, step

T = TypeVar("T", bound=msgspec.Struct)

# Parameters of a query string. More than any list has filters; each costs parsing time.
_MAX_PARAMETERS = 50
_NO_QUERY = NoQuery()
_ANY_QUERY = AnyQuery()
# Lax conversion accepts more spellings (1e1, 1_0, a number of seconds, TRUE); the API documents only these.
_WRITTEN: Mapping[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile("true|false"), "true or false"),
    int: (re.compile("-?[0-9]{1,30}"), "a whole number in decimal digits"),
    float: (re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?"), "a decimal number"),
    datetime: (re.compile(r"[0-9]{4}-.*"), "a time as of RFC 3339"),
}
_STRICTER = frozenset((*_WRITTEN, type(None)))


def parse_query(raw: bytes) -> dict[str, str]:
    """The parameters, each once, in NFC."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise InvalidArgument("invalid_query", f"Send at most {_MAX_PARAMETERS} query parameters.") from None
    found: dict[str, str] = {}
    violations = []
    for name, text in ((_text(name), _text(text)) for name, text in pairs):
        pointer = step("#", name or "")
        if name is None or text is None:
            violations.append(Violation(pointer, "invalid_text", "Send percent-encoded UTF-8 without NUL."))
        elif name in found:
            violations.append(Violation(pointer, "repeated", "Send this parameter once."))
        else:
            found[name] = unicodedata.normalize("NFC", text)
    if violations:
        raise _refused(violations)
    return found


def words(text: str | None) -> list[str]:
    """The parts of a comma list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def read_query(raw: bytes, schema: type[T]) -> tuple[dict[str, str], T]:
    """The parameters as they were sent, and as an instance of the schema."""
    if schema is AnyQuery:
        return {}, _ANY_QUERY  # type: ignore[return-value]
    asked = parse_query(raw)
    return asked, decode_query(asked, schema)


def decode_query(asked: dict[str, str], schema: type[T]) -> T:
    """The parameters as an instance of the schema."""
    if not asked and schema is NoQuery:
        return _NO_QUERY  # type: ignore[return-value]
    try:
        query = msgspec.convert(asked, schema, strict=False)
    except msgspec.ValidationError:
        raise _refused(list(_violations(asked, schema))) from None
    pairs = zip(query.__struct_encode_fields__, query.__struct_fields__, strict=True)
    # Only these types have a second spelling or a value that cannot be kept.
    if any(name in asked and type(getattr(query, field)) in _STRICTER for name, field in pairs):
        violations = list(_violations(asked, schema))
        if violations:
            raise _refused(violations)
    return query


def _violations(asked: Mapping[str, str], schema: type[msgspec.Struct]) -> Iterator[Violation]:
    """Everything that is wrong with the parameters."""
    hints = _hints(schema)
    for name, text in asked.items():
        pointer = step("#", name)
        if name not in hints:
            yield Violation(pointer, "unknown_parameter", "This operation has no such query parameter.")
            continue
        detail = _fault(text, hints[name])
        if detail:
            yield Violation(pointer, "invalid_value", detail)


def _fault(text: str, hint: Any) -> str:
    """What is wrong with one parameter; the lax conversion would also take 1e1, TRUE, or null for no value."""
    try:
        value = msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as error:
        pattern, wanted = next((_WRITTEN[kind] for kind in kinds_of(hint) if kind in _WRITTEN), (None, ""))
        if pattern is None:
            return violations_of(text, hint)[0].detail
        # What is written as its kind is beyond a limit, which the message names.
        said = str(error)
        told = pattern.fullmatch(text) is not None and said.startswith("Expected")
        return in_json_words(said) if told else f"Expected {wanted}."
    if value is None:
        return "Expected a value."
    if isinstance(value, datetime) and not is_storable(value):
        return "Expected a time in the years 2 to 9999."
    pattern, wanted = _WRITTEN.get(type(value), (None, ""))
    return f"Expected {wanted}." if pattern is not None and not pattern.fullmatch(text) else ""


@functools.cache
def _hints(schema: type[msgspec.Struct]) -> Mapping[str, Any]:
    hints = get_type_hints(schema, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(schema)}


def _text(octets: str) -> str | None:
    """The text of octets that were read as Latin-1; None when they are no UTF-8 or hold NUL."""
    try:
        text = octets.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _refused(violations: list[Violation]) -> InvalidArgument:
    return InvalidArgument("invalid_query", "Fix the query parameters listed in `errors`.", violations=violations)

"""JSON bodies: parsed strictly and decoded into a schema. Every refusal names the place by a JSON pointer.

400 for text that is not JSON or repeats a key, 413 for too many values, 415 for another media type, 422 for JSON of the
wrong shape. It must not know any schema's meaning.
"""

import itertools
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any, NoReturn, TypeVar

import msgspec

from gateway.http.request import Request
from gateway.http.violations import MAX_VIOLATIONS, violations_of
from libs.errors import InvalidArgument, Violation, step

T = TypeVar("T")

# Bytes of a JSON body. The largest body, a text entry, has a limit of 1 MiB as well. Larger: more memory per request.
JSON_LIMIT = 1024 * 1024
# Levels of nesting. Schemas are shallow; the rest is for free-form maps. Deeper values cost stack in every parser.
MAX_DEPTH = 32
# Parsers read larger integers differently: the limit of I-JSON (RFC 7493, 2.2).
_MAX_INTEGER = 2**53
# Digits of a number. A float has at most 309 before the point; longer texts cost quadratic time to parse.
_TOO_LONG = 400

# Parsing takes about 1 µs a value and blocks the event loop meanwhile, so a body may block it for 20 ms.
MAX_VALUES = 20_000

_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")
# Whether to look for numbers that are too large: a run of digits, or an exponent.
_LONG_NUMBER = re.compile(rb"[0-9]{16}|[0-9][eE]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# The first and last years, in which a time may lie outside what can be kept.
_EDGE_OF_TIME = re.compile(rb'"(?:0001|9999)-')


def require_json(request: Request[Any, Any, Any], allowed: Iterable[str]) -> str:
    """The media type of the body; 415 unless it is one of those allowed."""
    media_type, _, parameters = request.header("content-type").partition(";")
    media_type = media_type.strip().lower()
    if request.header("content-encoding").strip().lower() not in ("", "identity"):
        raise InvalidArgument("unsupported_media_type", "Send the body without a Content-Encoding.")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type not in allowed or charset not in ("", "charset=utf-8"):
        raise InvalidArgument(
            "unsupported_media_type",
            f"Send the body as {' or '.join(allowed)} in UTF-8.",
            # RFC 9110, 15.5.16, and RFC 5789, 2.2.
            metadata={"accept-patch" if request.method == "PATCH" else "accept": ", ".join(allowed)},
        )
    return media_type


def decode_json(raw: bytes, schema: type[T], server_set: Set[str] = frozenset()) -> T:
    """The body as an instance of the schema. A field in `server_set` is refused with a code of its own: a client that
    sends it expects an effect that it does not have."""
    value = parse_json(raw)
    try:
        decoded = msgspec.convert(value, schema)
    except msgspec.ValidationError:
        raise invalid_fields(*violations_of(value, schema, server_set)) from None
    if _EDGE_OF_TIME.search(raw) and (found := violations_of(value, schema, server_set)):
        raise invalid_fields(*found)
    return decoded


def parse_json(raw: bytes) -> Any:
    """Plain values of a JSON text. Refuses text that two parsers could read differently."""
    _check_count(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise InvalidArgument("invalid_utf8", "Send the body in valid UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidArgument("malformed_json", "Send a body that is valid JSON.") from None
    _check_depth(raw, value)
    if b"\\u0000" in raw or _SURROGATE.search(raw):
        _refuse(value, _is_bad_text, "invalid_text", "Remove NUL and unpaired surrogates.")
    if _LONG_NUMBER.search(raw):
        _refuse(value, _is_too_large, "out_of_range", "Send numbers within ±2^53; send longer ones as text.")
    return value if raw.isascii() and b"\\u" not in raw else _composed(value)


def invalid_fields(*violations: Violation) -> InvalidArgument:
    """422 for fields of the body."""
    return InvalidArgument("validation_failed", "Fix the fields listed in `errors`.", violations=violations)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidArgument("duplicate_key", "An object in the body repeats a key. Send each key once.")
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _integer(text: str) -> int | float:
    """The number, or infinity for one that is too long to parse; both are refused with their place."""
    return int(text) if len(text) <= _TOO_LONG else math.inf


def _is_too_large(value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_INTEGER


def _check_count(raw: bytes) -> None:
    """Commas outside strings bound the number of values. The strings are cut out only when there are many commas."""
    if raw.count(b",") <= MAX_VALUES:
        return
    # Every other piece between unescaped quotes lies outside the strings.
    outside = raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    if sum(piece.count(b",") for piece in outside) > MAX_VALUES:
        raise InvalidArgument("payload_too_large", f"Send at most {MAX_VALUES:,} values in one body.")


def _too_deep() -> InvalidArgument:
    return InvalidArgument("json_too_deep", f"Nest objects and arrays at most {MAX_DEPTH} deep.")


def _check_depth(raw: bytes, value: Any) -> None:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer) if isinstance(inner, (dict, list))]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse(value: Any, is_bad: Callable[[Any], bool], code: str, detail: str) -> None:
    """422 if a value, or a key of an object, is bad anywhere."""
    places = list(itertools.islice(_places(value, "#", is_bad), MAX_VIOLATIONS))
    if places:
        raise invalid_fields(*(Violation(place, code, detail) for place in places))


def _places(value: Any, pointer: str, is_bad: Callable[[Any], bool]) -> Iterator[str]:
    if is_bad(value):
        yield pointer
    elif isinstance(value, dict):
        for key, inner in value.items():
            place = step(pointer, key)
            if is_bad(key):
                yield place
            yield from _places(inner, place, is_bad)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, step(pointer, index), is_bad)


def _is_bad_text(value: Any) -> bool:
    return isinstance(value, str) and _BAD_TEXT.search(value) is not None


def _composed(value: Any) -> Any:
    """The values with their texts in NFC, so that equal words typed on different keyboards are equal."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {key: _composed(inner) for key, inner in value.items()}
    return [_composed(inner) for inner in value] if isinstance(value, list) else value

"""All that is wrong with the shape of a JSON value, each violation at its innermost place and in JSON's words.

msgspec stops at the first mistake and names Python's types, so a value that it refused is walked here once more, member
by member. It must not know any schema's meaning.
"""

import re
import types
from collections.abc import Iterator, Set
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UnsetType

from gateway.http.wire import is_storable
from libs.errors import Violation, step

# More help no one; the rest is found when these are fixed.
MAX_VIOLATIONS = 100
_WORDS = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object", "list": "array",
    "datetime": "time as of RFC 3339",
}  # fmt: skip
_GOT = {"int": "number", "float": "number"}
_CODE = re.compile(r"`([^`]*)`")
_REGEX = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
_NONE: Any = types.NoneType


def violations_of(value: Any, schema: Any, server_set: Set[str] = frozenset()) -> list[Violation]:
    """What `msgspec.convert(value, schema)` refuses, as a list without an end at the first; empty if nothing."""
    found = []
    for violation in _check(value, schema, "#", server_set):
        found.append(violation)
        if len(found) == MAX_VIOLATIONS:
            break
    return found


def in_json_words(message: str) -> str:
    """A sentence of msgspec with JSON's names of types: Expected a `str` becomes Expected string."""
    pattern = _REGEX.fullmatch(message)
    if pattern:
        return f"Expected string matching {pattern[1]}."
    expected, separator, got = message.partition(", got ")
    return _CODE.sub(lambda name: _translated(name[1], _WORDS), expected) + (
        separator + _CODE.sub(lambda name: _translated(name[1], _WORDS | _GOT), got) + "."
    )


def _translated(names: str, words: dict[str, str]) -> str:
    return " or ".join(re.sub(r"^\w+", lambda name: words.get(name[0], name[0]), part) for part in names.split(" | "))


def _check(value: Any, hint: Any, pointer: str, server_set: Set[str]) -> Iterator[Violation]:
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    inner = _composite(value, bare)
    if inner is None:
        yield from _check_leaf(value, hint, pointer)
    elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        yield from _check_struct(value, inner, pointer, server_set)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _check(member, get_args(inner)[1], step(pointer, name), server_set)
    else:
        yield from _check_length(value, hint, pointer)
        for index, member in enumerate(value):
            yield from _check(member, get_args(inner)[0], step(pointer, index), server_set)


def _composite(value: Any, bare: Any) -> Any:
    """The object or array type that the value is meant as; None when the value is to be judged as a whole."""
    if get_origin(bare) in (Union, types.UnionType):
        options = (get_args(option)[0] if get_origin(option) is Annotated else option for option in get_args(bare))
        return next((found for option in options if (found := _composite(value, option)) is not None), None)
    if isinstance(value, dict):
        return (
            bare if get_origin(bare) is dict or (isinstance(bare, type) and issubclass(bare, msgspec.Struct)) else None
        )
    return bare if isinstance(value, list) and get_origin(bare) is list else None


def _check_struct(
    value: dict[str, Any], schema: type[msgspec.Struct], pointer: str, server_set: Set[str]
) -> Iterator[Violation]:
    hints = get_type_hints(schema, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    for name in value if schema.__struct_config__.forbid_unknown_fields else ():
        if name not in fields:
            privileged = name in server_set
            detail = "The server sets this field. Remove it." if privileged else "This field does not exist. Remove it."
            yield Violation(step(pointer, name), "privileged_field" if privileged else "unknown_field", detail)
    for name, field in fields.items():
        if name in value:
            yield from _check(value[name], hints[field.name], step(pointer, name), server_set)
        elif field.required:
            yield Violation(step(pointer, name), "required", "This field is required.")


def _check_length(value: list[Any], hint: Any, pointer: str) -> Iterator[Violation]:
    """The limits of the array itself, whatever its items are."""
    for option in _options(hint):
        if get_origin(option) is Annotated:
            yield from _check_leaf(value, Annotated[(list[Any], *get_args(option)[1:])], pointer)


def _check_leaf(value: Any, hint: Any, pointer: str) -> Iterator[Violation]:
    try:
        converted = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        names = [name for kind in kinds_of(hint) if get_origin(kind) is Literal for name in get_args(kind)]
        detail = in_json_words(str(error).partition(" - at `$")[0])
        if names and isinstance(value, str):
            detail = f"Expected one of: {', '.join(map(str, names))}."
        yield Violation(pointer, "invalid_value", detail)
        return
    if isinstance(converted, datetime) and not is_storable(converted):
        yield Violation(pointer, "out_of_range", "Send a time in the years 2 to 9999; a zero time is no time.")


def _options(hint: Any) -> Iterator[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        for option in get_args(hint):
            if option not in (_NONE, UnsetType):
                yield from _options(option)
    else:
        yield hint


def kinds_of(hint: Any) -> Iterator[Any]:
    """The types that a value may have, without their limits."""
    for option in _options(hint):
        yield get_args(option)[0] if get_origin(option) is Annotated else option

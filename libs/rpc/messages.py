"""Between frozen dataclasses and messages by the names of their fields, so that a field is not copied by hand.

A `Mapper` is made once, at import, and raises TypeError there when a field of the value has no field in the message.
Rules and defaults stay with the domain; a mapper only converts: times, enums, maps, lists and presence.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar, cast, get_args, get_type_hints

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from libs.json_rows import number_to_json
from libs.rpc.times import from_timestamp, to_timestamp

V = TypeVar("V")
M = TypeVar("M", bound=Message)
Reader = Callable[[Any], Any]


class Mapper(Generic[V, M]):
    """Maps a dataclass to a message and back. `names` are the attributes whose field has another name; `without` the
    attributes that the message does not have, which `read` leaves to their defaults."""

    def __init__(
        self, kind: type[V], message: type[M], names: Mapping[str, str] | None = None, without: Collection[str] = ()
    ) -> None:
        self._kind, self._message = kind, message
        hints = get_type_hints(kind)
        self._readers: list[tuple[str, Reader]] = []
        self._writers: list[tuple[str, str, Reader | None]] = []
        for part in dataclasses.fields(cast(Any, kind)):
            if part.name not in without:
                target = (names or {}).get(part.name, part.name)
                field = message.DESCRIPTOR.fields_by_name.get(target)
                if field is None:
                    raise TypeError(f"{message.DESCRIPTOR.full_name} has no field {target} for {kind.__name__}")
                read, write = _converters(cast(FieldDescriptor, field), hints[part.name])
                self._readers.append((part.name, read))
                self._writers.append((part.name, target, write))

    def read(self, message: M) -> V:
        """The value that a message holds; an absent field is None, empty or the default of its type."""
        return self._kind(**{name: read(message) for name, read in self._readers})

    def write(self, value: V) -> M:
        """The message of a value; an attribute that is None leaves its field absent."""
        fields = {}
        for name, target, write in self._writers:
            item = getattr(value, name)
            fields[target] = item if write is None or item is None else write(item)
        return self._message(**fields)


def enum_numbers(descriptor: EnumDescriptor) -> dict[str, int]:
    """The names of an enum as JSON and tables have them, with their numbers: CALL_STATUS_NO_ANSWER is no_answer. The
    unspecified value is not among them."""
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {item.name.removeprefix(prefix).lower(): item.number for item in descriptor.values if item.number}


def _converters(field: FieldDescriptor, hint: Any) -> tuple[Reader, Reader | None]:
    """How the field is read from its message, and how an attribute is turned into it; None: as it is."""
    name = field.name
    if field.is_repeated:
        return lambda message: tuple(getattr(message, name)), None
    if field.enum_type is not None:
        return _enum(field, _plain_type(hint))
    if field.message_type is None:
        return (_optional(name) if field.has_presence else lambda message: getattr(message, name)), None
    if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        return lambda message: from_timestamp(message, name), to_timestamp
    if field.message_type.full_name == Struct.DESCRIPTOR.full_name:
        return lambda message: {key: _json(value) for key, value in getattr(message, name).fields.items()}, _struct
    inner: Mapper[Any, Any] = Mapper(_plain_type(hint), cast(Any, field.message_type)._concrete_class)
    return lambda message: inner.read(getattr(message, name)), inner.write


def _optional(name: str) -> Reader:
    return lambda message: getattr(message, name) if message.HasField(name) else None


def _enum(field: FieldDescriptor, kind: type[enum.StrEnum]) -> tuple[Reader, Reader]:
    """None for the unspecified number and for those that this release does not know."""
    numbers = enum_numbers(cast(EnumDescriptor, field.enum_type))
    known = {numbers[member.value]: member for member in kind if member.value in numbers}
    return lambda message: known.get(getattr(message, field.name)), lambda member: numbers.get(member.value, 0)


def _plain_type(hint: Any) -> Any:
    """T of `T | None`."""
    if not isinstance(hint, types.UnionType):
        return hint
    return next(kind for kind in get_args(hint) if kind is not types.NoneType)


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct


def _json(value: Value) -> Any:
    """The JSON value; whole numbers are integers. Objects and lists come through, for the rules to refuse."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return number_to_json(value.number_value)
    if kind in (None, "null_value"):
        return None
    return MessageToDict(value) if kind in ("struct_value", "list_value") else getattr(value, kind)

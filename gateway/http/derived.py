"""What follows from one declaration of a resource's fields: the schema of its patch, the schema of its answer, the
reading of an answer from a message and the filling of a list's request from a query.

Schemas and readers are made at import. A name that fits no field of the message is a TypeError. This module must not
know any resource.
"""

import functools
import operator
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET, UnsetType

from gateway.http.query import words
from gateway.http.schema import Answer, Body, ListQuery
from gateway.http.wire import set_time, struct_to_json, time_to_json
from libs.rpc.messages import enum_numbers

M = TypeVar("M", bound=Message)
A = TypeVar("A", bound=Answer)
_NONE: Any = types.NoneType


def patch_of(name: str, body: type[Body], doc: str = "", **more: Any) -> type[Body]:
    """The merge patch (RFC 7396) of a body: each field may be left out, and null where the body does not require it.
    An object inside is patched field by field. `more` are fields that only an existing resource has."""
    fields: list[Any] = []
    for part, hint in _hints(body):
        inner = _members(hint, _patch_member)
        nullable = (UnsetType,) if part.required else (UnsetType, _NONE)
        fields.append((part.name, _union([*inner, *nullable]), UNSET))
    fields += [(key, Union[hint, UnsetType], UNSET) for key, hint in more.items()]  # noqa: UP007
    namespace = {"__doc__": doc} if doc else {}
    made = msgspec.defstruct(name, fields, bases=(Body,), namespace=namespace, module=body.__module__, kw_only=True)
    return cast(type[Body], made)


def answer_of(name: str, *declared: type[msgspec.Struct], without: Collection[str] = (), doc: str = "") -> type[Answer]:
    """The answer with the fields of all `declared`, less some. A body's limits are not repeated; lists, maps and
    objects are never null in an answer."""
    fields: dict[str, Any] = {}
    for kind in declared:
        shown = _answer_hint if issubclass(kind, Body) else lambda hint: hint
        fields |= {part.name: shown(hint) for part, hint in _hints(kind) if part.name not in without}
    namespace = {"__doc__": doc} if doc else {}
    module = declared[0].__module__
    made = msgspec.defstruct(
        name, list(fields.items()), bases=(Answer,), namespace=namespace, module=module, kw_only=True, gc=False
    )
    return cast(type[Answer], made)


def reader(
    answer: type[A], message: type[M], paths: Mapping[str, str] | None = None, **computed: Callable[[M], Any]
) -> Callable[[M], A]:
    """Makes an answer from a message. `paths` are the fields whose place in the message has another name; a time
    `created_at` is read from `create_time`. `computed` fields are made from the whole message."""
    used: dict[str, Any] = {"answer": answer, "time_to_json": time_to_json, "struct_to_json": struct_to_json}
    arguments = []
    for part, hint in _hints(answer):
        if part.name in computed:
            used[part.name] = computed[part.name]
            arguments.append(f"{part.name}={part.name}(m)")
        else:
            path = (paths or {}).get(part.name) or _field_name(part.name)
            read = _expression(cast(Descriptor, message.DESCRIPTOR), path, hint, used)
            arguments.append(f"{part.name}={read}")
    # Compiled as dataclasses are: a loop over readers took 7.2 us a listed agent, this 4.9, code by hand 4.5.
    # Only names of fields reach the text, and those are identifiers.
    return cast(Callable[[M], A], eval(f"lambda m: answer({', '.join(arguments)})", used))  # noqa: S307


def fill(request: Message, query: ListQuery, without: Collection[str] = ()) -> None:
    """Copies the filters of a list's query that are given into the fields of the same names. A text for a repeated
    field is a comma list."""
    for name, field in _filters(type(query), request.DESCRIPTOR, frozenset(without)):
        value = getattr(query, name)
        if value is None:
            continue
        if field.is_repeated:
            getattr(request, name).extend(words(value))
        elif field.enum_type is not None:
            setattr(request, name, enum_numbers(field.enum_type)[value])
        elif field.message_type is not None:
            set_time(getattr(request, name), value)
        else:
            setattr(request, name, value)


@functools.cache
def _filters(
    query: type[ListQuery], request: Descriptor, without: frozenset[str]
) -> tuple[tuple[str, FieldDescriptor], ...]:
    names = [name for name in query.__struct_fields__ if name not in {*ListQuery.__struct_fields__, *without}]
    return tuple((name, _field(request, name)) for name in names)


def _hints(kind: type[msgspec.Struct]) -> Iterator[tuple[msgspec.structs.FieldInfo, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return ((part, hints[part.name]) for part in msgspec.structs.fields(kind))


def _members(hint: Any, change: Callable[[Any], Any]) -> list[Any]:
    """The members of `A | B | None` other than None, changed."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return [change(member) for member in members if member is not _NONE]


def _union(members: list[Any]) -> Any:
    return functools.reduce(operator.or_, members)


def _patch_member(member: Any) -> Any:
    if isinstance(member, type) and issubclass(member, Body):
        return patch_of(member.__name__.removesuffix("Body") + "Patch", member)
    return member


def _answer_hint(hint: Any) -> Any:
    members = _members(hint, _answer_member)
    nullable = _NONE in get_args(hint) and not any(_is_composite(member) for member in members)
    return _union([*members, _NONE] if nullable else members)


def _answer_member(member: Any) -> Any:
    bare = get_args(member)[0] if get_origin(member) is Annotated else member
    if get_origin(bare) is dict:
        return dict[str, Any]
    if get_origin(bare) is Literal:  # an answer may say more than a body of this release may
        return str
    if isinstance(bare, type) and issubclass(bare, Body):
        return _inner_answer(bare)
    return bare


@functools.cache  # one class an object, wherever it is used: the document names it once
def _inner_answer(body: type[Body]) -> type[Answer]:
    return answer_of(body.__name__.removesuffix("Body"), body)


def _is_composite(member: Any) -> bool:
    return get_origin(member) in (list, dict) or (isinstance(member, type) and issubclass(member, Answer))


def _field_name(name: str) -> str:
    """The message's name of a field that is a time, as Google's AIPs spell it."""
    if not name.endswith("_at"):
        return name
    return {"created_at": "create_time", "updated_at": "update_time"}.get(name, f"{name.removesuffix('_at')}_time")


def _field(message: Descriptor, name: str) -> FieldDescriptor:
    found = message.fields_by_name.get(name)
    if found is None:
        raise TypeError(f"{message.full_name} has no field {name}")
    return found


def _expression(message: Descriptor, path: str, hint: Any, used: dict[str, Any]) -> str:
    """The field at `path` of the message `m`, as Python. What it calls is added to `used`."""
    *parents, leaf = path.split(".")
    for parent in parents:
        message = cast(Descriptor, _field(message, parent).message_type)
    field, owner = _field(message, leaf), ".".join(["m", *parents])
    value, helper = f"{owner}.{leaf}", f"{path.replace('.', '_')}_"
    if field.is_repeated:
        return f"list({value})"
    if field.enum_type is not None:
        used[helper] = {number: text for text, number in enum_numbers(field.enum_type).items()}.get
        return f"{helper}({value})"
    if field.message_type is not None:
        kind = field.message_type
        if kind.full_name == Timestamp.DESCRIPTOR.full_name:
            return f"time_to_json({value})"
        if kind.full_name == Struct.DESCRIPTOR.full_name:
            return f"struct_to_json({value})"
        used[helper] = reader(hint, cast(Any, kind)._concrete_class)
        return f"{helper}({value})"
    if field.has_presence:
        return f"{value} if {owner}.HasField('{leaf}') else None"
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return f"{value} or None" if _NONE in get_args(bare) else value

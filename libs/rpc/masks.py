"""Partial updates (AIP-134): what an update may change of a value, and the merge of one.

A service declares an `Editable` for each resource that has a PATCH. `read` checks the mask before any row is read;
`merge` takes the named attributes from the given value. Both values are the domain's; no message is built in between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import InvalidArgument, Violation

V = TypeVar("V")
# Characters of a path in a violation; an error travels in 8 KiB of metadata.
_MAX_POINTER = 100
# Violations that name a refused path; an error travels in 8 KiB of metadata.
_MAX_REFUSED = 20


class Editable(Generic[V]):
    """The mask paths that an update may name, each with the attribute of the value that it stands for.

    `maps` are the paths whose value is a map: a path below one names a key ("draft.variables.plan"), which may contain
    dots. `inlined` is the field of the message whose fields the JSON API shows at the top, for the pointers.
    """

    def __init__(self, attributes: Mapping[str, str], *, maps: Iterable[str] = (), inlined: str = "") -> None:
        self.paths = dict(attributes)
        self._maps = {f"{path}.": attributes[path] for path in maps}
        self._inlined = f"{inlined}." if inlined else ""

    def read(self, mask: FieldMask) -> Edit[V]:
        """The edit that a mask names; InvalidArgument("field_not_editable") with a violation for each refused path."""
        attributes: dict[str, None] = {}
        keys: dict[str, list[str]] = {}
        refused: dict[str, None] = {}
        for path in mask.paths:
            if path in self.paths:
                attributes[self.paths[path]] = None
            elif (prefix := next(filter(path.startswith, self._maps), None)) is not None:
                keys.setdefault(self._maps[prefix], []).append(path.removeprefix(prefix))
            else:
                refused[self._pointer(path)] = None
        if refused:
            # A mask may name thousands of paths; an error's text travels in a header of limited size.
            found = [Violation(pointer, "not_editable", "Leave it out.") for pointer in list(refused)[:_MAX_REFUSED]]
            raise InvalidArgument("field_not_editable", "Some fields cannot be changed.", violations=found)
        return Edit(tuple(attributes), keys)

    def _pointer(self, path: str) -> str:
        return "#/" + "/".join(map(_json_name, path.removeprefix(self._inlined).split(".")))[:_MAX_POINTER]


@dataclass(frozen=True, slots=True)
class Edit(Generic[V]):
    """A checked mask: attributes that are taken whole, and keys of attributes that are maps. False when empty."""

    attributes: tuple[str, ...]
    keys: Mapping[str, list[str]]

    def __bool__(self) -> bool:
        return bool(self.attributes or self.keys)

    def merge(self, current: V, given: V) -> V:
        """`current` with the named attributes of `given`. What `given` has by default is thereby cleared; a named key
        that `given` lacks is removed. The order and repetition of paths change nothing."""
        for attribute in self.attributes:
            current = _replaced(current, attribute, attrgetter(attribute)(given))
        for attribute, names in self.keys.items():
            merged, source = dict(attrgetter(attribute)(current)), attrgetter(attribute)(given)
            for name in names:
                merged.pop(name, None)
                if name in source:
                    merged[name] = source[name]
            current = _replaced(current, attribute, merged)
        return current


def nested_paths(path: str, attribute: str, default: Any) -> dict[str, str]:
    """The paths of a message field that holds a whole value, for `Editable`: its fields have the names of the
    attributes of the dataclass `default`, at any depth. The field itself is not among them."""
    found: dict[str, str] = {}
    for part in dataclasses.fields(default):
        below = (f"{path}.{part.name}", f"{attribute}.{part.name}")
        found[below[0]] = below[1]
        value = getattr(default, part.name)
        if dataclasses.is_dataclass(value):
            found |= nested_paths(*below, value)
    return found


def _replaced(value: Any, attribute: str, new: Any) -> Any:
    name, _, rest = attribute.partition(".")
    return dataclasses.replace(value, **{name: _replaced(getattr(value, name), rest, new) if rest else new})


def _json_name(field: str) -> str:
    """A message's field as the JSON API spells it: create_time is createdAt."""
    words = field.split("_")
    if words[-1] == "time" and len(words) > 1:
        words[-1] = "at"
        words[0] = {"create": "created", "update": "updated"}.get(words[0], words[0])
    return words[0] + "".join(word.capitalize() for word in words[1:])

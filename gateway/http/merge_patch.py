"""Merge patches (RFC 7396) as protobuf wants them: the fields that are present, set in a message and named in a mask.

Null clears a field: it stands in the mask and not in the message. A map is merged by key, so each key has its own path.
It must not know any resource.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from msgspec import UNSET
from msgspec import Struct as Schema

from gateway.http.wire import struct_from_json


def apply_patch(patch: Schema, message: Message, paths: Mapping[str, str] | None = None) -> FieldMask:
    """Fill `message` from the patch. `paths` maps an attribute of the patch to a field path of the message; without it
    each attribute is the field of its own name."""
    mask = FieldMask()
    for name in paths or patch.__struct_fields__:
        path, value = (paths or {}).get(name, name), getattr(patch, name)
        if value is not UNSET:
            _apply(value, message, path, mask)
    return mask


def _apply(value: Any, message: Message, path: str, mask: FieldMask) -> None:
    if isinstance(value, Schema):
        for name in value.__struct_fields__:
            inner = getattr(value, name)
            if inner is not UNSET:
                _apply(inner, message, f"{path}.{name}", mask)
    elif isinstance(value, dict):
        present = {key: inner for key, inner in value.items() if inner is not None}
        _set(message, path, struct_from_json(present))
        mask.paths.extend(f"{path}.{key}" for key in value)
    else:
        mask.paths.append(path)
        if value is not None:
            _set(message, path, value)


def _set(message: Message, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if isinstance(value, Struct):
        getattr(message, leaf).CopyFrom(value)
    elif isinstance(value, list):
        getattr(message, leaf).extend(value)
    else:
        setattr(message, leaf, value)

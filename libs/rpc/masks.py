"""Update masks (AIP-134): which fields a PATCH touches, checked against what may be changed."""

from collections.abc import Collection, Iterable

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from libs.errors import InvalidArgument, Violation


def checked_paths(mask: FieldMask, allowed: Collection[str]) -> frozenset[str]:
    """The mask's paths; InvalidArgument naming each one that may not be changed. A path below an allowed one passes."""
    refused = [path for path in mask.paths if not _covered(path, allowed)]
    if refused:
        raise InvalidArgument(
            "invalid_update",
            "Some fields cannot be changed here.",
            violations=[Violation("#/" + path.replace(".", "/"), "not_writable", "Leave it out.") for path in refused],
        )
    return frozenset(mask.paths)


def _covered(path: str, allowed: Collection[str]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:count]) in allowed for count in range(1, len(parts) + 1))


def touches(paths: Iterable[str], field: str) -> bool:
    """Whether the paths name the field or something inside it."""
    return any(path == field or path.startswith(field + ".") for path in paths)


def apply_mask(source: Message, target: Message, mask: FieldMask) -> None:
    """Copy the masked fields from source to target; a masked field that source lacks is cleared, a repeated one is
    replaced. The paths must have been checked."""
    mask.MergeMessage(source, target, replace_message_field=True, replace_repeated_field=True)
    for path in mask.paths:
        _clear_if_absent(source, target, path.split("."))


def _clear_if_absent(source: Message, target: Message, parts: list[str]) -> None:
    field = source.DESCRIPTOR.fields_by_name[parts[0]]
    if len(parts) > 1:
        if source.HasField(parts[0]):
            _clear_if_absent(getattr(source, parts[0]), getattr(target, parts[0]), parts[1:])
    elif field.has_presence and not source.HasField(parts[0]):
        target.ClearField(parts[0])

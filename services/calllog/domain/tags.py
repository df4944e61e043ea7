"""A call's tags, the only part of a call that a customer may change."""

from __future__ import annotations

from collections.abc import Iterable

from libs.errors import InvalidArgument, Violation
from libs.text import trimmed
from libs.untrusted_json import storable

# Tags of a call.
MAX_TAGS = 50
# Characters of a tag.
MAX_LENGTH = 50


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags trimmed and without repetitions, in their order."""
    found = tuple(dict.fromkeys(trimmed(storable(tag)) for tag in tags))
    violations = [
        Violation(f"#/tags/{index}", "invalid_length", f"Give 1 to {MAX_LENGTH} characters.")
        for index, tag in enumerate(found)
        if not 0 < len(tag) <= MAX_LENGTH
    ]
    if len(found) > MAX_TAGS:
        violations.append(Violation("#/tags", "too_many", f"Give at most {MAX_TAGS} tags."))
    if violations:
        raise InvalidArgument("validation_failed", "Some fields break a rule.", violations=violations)
    return found

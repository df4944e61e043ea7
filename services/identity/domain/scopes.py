"""The list of scopes, the scopes of each role, and the rule of granting."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from libs.errors import InvalidArgument, PermissionDenied, Violation
from suite.services import AREAS, SCOPES

EVERYTHING = "*"
_READ = frozenset(f"{area}:read" for area in AREAS)
_MEMBER_WRITES = frozenset(f"{area}:write" for area in ("agents", "knowledge", "calls", "realtime"))


class Role(enum.StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


ROLE_SCOPES: dict[Role, frozenset[str]] = {
    Role.OWNER: frozenset({EVERYTHING}),
    Role.ADMIN: frozenset({EVERYTHING}),
    Role.MEMBER: _READ | _MEMBER_WRITES,
    Role.VIEWER: _READ,
}


def effective(scopes: Iterable[str], role: Role) -> frozenset[str]:
    """The scopes of a key now: those it was given, limited by its creator's current role."""
    given, bound = frozenset(scopes), ROLE_SCOPES[role]
    if EVERYTHING in bound:
        return given
    return bound if EVERYTHING in given else given & bound


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes without repetition, in their order; refuses none at all and unknown ones."""
    wanted = tuple(dict.fromkeys(scopes))
    known = ", ".join(SCOPES)
    found = [
        Violation(f"#/scopes/{index}", "unknown_value", f"Must be one of {known}.")
        for index, scope in enumerate(wanted[:100])
        if scope not in SCOPES
    ]
    if not wanted:
        found = [Violation("#/scopes", "required", f"Name at least one of {known}.")]
    if found:
        raise InvalidArgument("validation_failed", "The scopes are not valid.", violations=found)
    return wanted


def check_grant(wanted: Iterable[str], granter: frozenset[str]) -> None:
    """A grantor grants only scopes that it has."""
    if EVERYTHING not in granter and not frozenset(wanted) <= granter:
        raise PermissionDenied("scope_not_grantable", "A key may reach no further than your own scopes.")

"""The list of scopes, and the rule of granting; suite/roles.py has the scopes of each role."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from libs.errors import InvalidArgument, PermissionDenied, Violation
from suite.roles import EVERYTHING, ROLE_SCOPES
from suite.services import SCOPES


class Role(enum.StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


# From the least to the most; a role manages its own and those before it.
_RANK = {role: rank for rank, role in enumerate((Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER))}


def has_right(scopes: frozenset[str], scope: str) -> bool:
    return EVERYTHING in scopes or scope in scopes


def ranks_below(role: Role, other: Role) -> bool:
    return _RANK[role] < _RANK[other]


def may_grant(role: Role, own: Role, scopes: frozenset[str]) -> bool:
    """Whether a caller of the role `own`, whose credential has these scopes, may give or take the role `role`."""
    has_scopes = EVERYTHING in scopes or ROLE_SCOPES[role] <= scopes
    return has_scopes and not ranks_below(own, role)


def check_role(role: Role, own: Role, scopes: frozenset[str]) -> None:
    """Raises where the caller may neither give nor take the role."""
    if not may_grant(role, own, scopes):
        raise PermissionDenied("role_not_grantable", "This role reaches further than your own. Ask one who has it.")


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

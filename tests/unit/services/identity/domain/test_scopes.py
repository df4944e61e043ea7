"""What roles are worth and who may grant what."""

from __future__ import annotations

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from services.identity.domain.scopes import Role, check_grant, check_scopes, effective
from suite.roles import ROLE_SCOPES
from suite.services import SCOPES


def test_scopes_are_kept_in_order_and_once() -> None:
    assert check_scopes(["calls:read", "agents:write", "calls:read"]) == ("calls:read", "agents:write")
    assert check_scopes(SCOPES) == SCOPES


@pytest.mark.parametrize(
    ("scopes", "pointer"),
    [
        ([], "#/scopes"),
        (["agents:read", "agents:admin"], "#/scopes/1"),
        (["AGENTS:READ"], "#/scopes/0"),
        ([""], "#/scopes/0"),
    ],
)
def test_unknown_scopes_are_pointed_at(scopes: list[str], pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_scopes(scopes)
    assert [violation.pointer for violation in refusal.value.violations] == [pointer]


def test_no_one_grants_more_than_they_have() -> None:
    check_grant(["agents:read"], frozenset({"agents:read", "members:write"}))
    check_grant(["*"], frozenset({"*"}))
    for wanted in (["agents:write"], ["*"], ["agents:read", "billing:read"]):
        with pytest.raises(PermissionDenied):
            check_grant(wanted, frozenset({"agents:read", "members:write"}))


def test_a_key_is_bounded_by_what_its_makers_role_reaches_today() -> None:
    assert effective(["agents:write", "agents:read"], Role.VIEWER) == {"agents:read"}
    assert effective(["*"], Role.VIEWER) == ROLE_SCOPES[Role.VIEWER]
    assert effective(["agents:write"], Role.OWNER) == {"agents:write"}
    assert "members:write" not in effective(["*"], Role.MEMBER)

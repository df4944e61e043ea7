"""Registrations, addresses, passwords and organizations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import InvalidArgument
from services.identity.domain.people import (
    Organization,
    Registration,
    check_registration,
    common_passwords,
    edit_organization,
    email_key,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
GOOD = Registration("Ada@Example.com", "correct horse battery", "Ada", "Lovelace", "Engines Ltd")


def test_a_good_registration_passes_trimmed() -> None:
    assert check_registration(replace(GOOD, email=" Ada@Example.com ", organization_name=" Engines Ltd ")) == GOOD
    assert check_registration(replace(GOOD, first_name="", last_name="")).first_name == ""
    assert GOOD.password not in repr(GOOD)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"email": "ada"}, "#/email", "invalid_format"),
        ({"email": "a@b"}, "#/email", "invalid_format"),
        ({"email": "a b@example.com"}, "#/email", "invalid_format"),
        ({"email": "a\x00@example.com"}, "#/email", "invalid_format"),
        ({"email": "a@example.com, b@example.com"}, "#/email", "invalid_format"),
        ({"email": "a" * 65 + "@example.com"}, "#/email", "invalid_format"),
        ({"password": "short"}, "#/password", "too_short"),
        ({"password": "x" * 100 + "y" * 101}, "#/password", "too_long"),
        ({"password": "PASSWORD"}, "#/password", "too_common"),
        ({"password": "zzzzzzzzzz"}, "#/password", "too_common"),
        ({"password": "987654321"}, "#/password", "too_common"),
        ({"password": "ABCDEFGH"}, "#/password", "too_common"),
        ({"password": "BaseBall"}, "#/password", "too_common"),
        ({"password": "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44"}, "#/password", "too_common"),
        ({"password": "\uff21da@Example.com"}, "#/password", "too_common"),
        ({"password": "ada@example.com"}, "#/password", "too_common"),
        ({"organization_name": "  "}, "#/organizationName", "required"),
        ({"first_name": "x" * 101}, "#/firstName", "too_long"),
        ({"last_name": "a\x07"}, "#/lastName", "invalid_character"),
    ],
)
def test_each_rule_points_at_its_field(changes: dict[str, str], pointer: str, code: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_registration(replace(GOOD, **changes))
    assert [(found.pointer, found.code) for found in refusal.value.violations] == [(pointer, code)]


def test_the_list_of_common_passwords_is_a_real_one() -> None:
    assert len(common_passwords()) > 10_000
    for known in ("qwertyuiop", "1qaz2wsx", "trustno1", "passw0rd", "letmein1", "liverpool", "mustang1"):
        assert known in common_passwords(), known
    assert all(password == password.casefold() for password in common_passwords())


def test_all_violations_come_at_once() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_registration(Registration("", "", "", "", ""))
    assert {found.pointer for found in refusal.value.violations} == {"#/email", "#/password", "#/organizationName"}


def test_spellings_of_one_address_are_one_address() -> None:
    assert email_key(" ADA@Example.COM ") == email_key("ada@example.com")
    assert email_key("a\u0308@example.com") == email_key("\u00e4@example.com")


def test_an_organization_is_renamed_and_moved() -> None:
    organization = Organization("org_1", "Engines", "UTC", NOW, NOW)
    assert edit_organization(organization, " Engines ", "UTC", NOW) is organization
    moved = edit_organization(organization, "Looms", "Europe/Berlin", NOW)
    assert (moved.name, moved.time_zone, moved.version) == ("Looms", "Europe/Berlin", 2)
    for name, zone, pointer in (("", "UTC", "#/name"), ("x", "Mars/Base", "#/timeZone")):
        with pytest.raises(InvalidArgument) as refusal:
            edit_organization(organization, name, zone, NOW)
        assert [found.pointer for found in refusal.value.violations] == [pointer]

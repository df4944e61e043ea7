"""How keys are written, and what a rotation does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.crypto import random_token
from libs.errors import FailedPrecondition, InvalidArgument
from services.identity.domain.credentials import (
    ApiKey,
    hashed,
    make_key,
    rotate_key,
)
from suite.credentials import is_session_token, key_prefix, write_key, write_prefix

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = ApiKey("key_1", "org_1", "ci", "esx_test_0123456789", ("agents:read",), "usr_1", NOW, key_hash=b"old")


def test_a_key_names_its_environment_and_its_prefix() -> None:
    prefix = write_prefix(True, random_token())
    secret = write_key(prefix, random_token())
    assert secret.startswith(prefix + "_")
    assert prefix.startswith("esx_live_")
    assert key_prefix(secret) == prefix
    assert write_prefix(False, random_token()).startswith("esx_test_")


def test_every_changed_letter_fails_the_checksum() -> None:
    secret = write_key(write_prefix(False, random_token()), random_token())
    for position in range(len(secret)):
        other = "A" if secret[position] != "A" else "B"
        assert key_prefix(secret[:position] + other + secret[position + 1 :]) is None


@pytest.mark.parametrize("text", ["", "esx_", "esx_test_0123456789_", "x" * 10_000, "esx_test_0123456789_" + "ü" * 38])
def test_anything_else_is_no_key(text: str) -> None:
    assert key_prefix(text) is None


def test_session_tokens_and_keys_are_never_taken_for_each_other() -> None:
    token = random_token()
    assert is_session_token(token)
    assert key_prefix(token) is None
    assert not is_session_token(write_key(write_prefix(False, random_token()), random_token()))


def test_a_key_needs_a_name_known_scopes_and_a_future() -> None:
    assert make_key(replace(KEY, name=" ci "), NOW).name == "ci"
    for changes, pointer in (
        ({"name": " "}, "#/name"),
        ({"expires_at": NOW}, "#/expiresAt"),
        ({"scopes": ()}, "#/scopes"),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            make_key(replace(KEY, **changes), NOW)
        assert [found.pointer for found in refusal.value.violations] == [pointer]


def test_all_that_is_wrong_with_a_key_is_told_at_once() -> None:
    asked = replace(KEY, name=" ", scopes=("agents:fly",), expires_at=NOW, allowed_addresses=("203.0.113.1/24",))
    with pytest.raises(InvalidArgument) as refusal:
        make_key(asked, NOW)
    pointers = [found.pointer for found in refusal.value.violations]
    assert pointers == ["#/scopes/0", "#/allowedAddresses/0", "#/name", "#/expiresAt"]


def test_a_rotation_keeps_the_old_secret_for_the_overlap() -> None:
    rotated = rotate_key(KEY, "new", 60, NOW)
    assert (rotated.key_hash, rotated.previous_hash) == (hashed("new"), b"old")
    assert (rotated.previous_until, rotated.version) == (NOW + timedelta(seconds=60), 2)
    at_once = rotate_key(KEY, "new", 0, NOW)
    assert (at_once.previous_hash, at_once.previous_until) == (None, None)


@pytest.mark.parametrize("seconds", [-1, 7 * 86_400 + 1])
def test_an_overlap_is_at_most_a_week(seconds: int) -> None:
    with pytest.raises(InvalidArgument):
        rotate_key(KEY, "new", seconds, NOW)


def test_an_ended_key_is_not_rotated() -> None:
    for ended in (replace(KEY, revoked_at=NOW), replace(KEY, expires_at=NOW)):
        with pytest.raises(FailedPrecondition):
            rotate_key(ended, "new", 0, NOW)

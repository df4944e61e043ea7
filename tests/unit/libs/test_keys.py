"""Named keys: their form, their age, and which signatures are valid while one is replaced."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from libs.keys import MacKeys, made_at, new_key, new_kid, read_keys, states

NOW = datetime(2026, 11, 28, 1, 30, tzinfo=UTC)
OLD, NEW = "20260101T000000Z", "20261128T013000Z"


def test_an_id_tells_when_its_key_was_made() -> None:
    assert new_kid(NOW) == NEW
    assert made_at(NEW) == made_at(f"gateway/{NEW}") == NOW
    assert made_at("k1") is None


def test_the_first_key_is_active_and_only_a_newer_one_behind_it_is_published() -> None:
    assert states([OLD, NEW]) == ["active", "published"]
    assert states([NEW, OLD]) == ["active", "retiring"]
    assert states(["", NEW]) == ["active", "published"]
    assert states([NEW, "k1", ""]) == ["active", "retiring", "retiring"]


def test_a_bare_key_has_no_id() -> None:
    bare, named = base64.b64encode(b"b" * 32).decode(), f"{NEW}={new_key()}"
    assert [key.kid for key in read_keys([named, bare])] == [NEW, ""]
    assert read_keys([bare])[0].raw == b"b" * 32


@pytest.mark.parametrize("entries", [[], [""], ["k1="], ["k1=*"], ["k1=QUI=", "k1=QUI="], ["k1=QUI"], [" k1=QUI="]])
def test_other_forms_are_refused(entries: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        read_keys(entries)


def test_no_key_shows_in_a_text_of_it() -> None:
    assert "b" * 8 not in repr(read_keys([base64.b64encode(b"b" * 32).decode()]))


def _entry(kid: str, letter: bytes) -> str:
    return f"{kid}={base64.b64encode(letter * 32).decode()}"


def test_what_the_old_key_signed_verifies_until_it_is_dropped() -> None:
    keys = MacKeys.from_settings([_entry("a", b"a")])
    signed = keys.sign(b"text")
    keys.replace([_entry("b", b"b"), _entry("a", b"a")])
    assert keys.verify(b"text", signed)
    assert keys.sign(b"text") == hmac.digest(b"b" * 32, b"text", hashlib.sha256)
    keys.replace([_entry("b", b"b")])
    assert not keys.verify(b"text", signed)


def test_keys_of_a_purpose_follow_and_sign_nothing_for_another() -> None:
    keys = MacKeys([b"a" * 32])
    links, devices = keys.for_purpose(b"links"), keys.for_purpose(b"devices")
    assert not devices.verify(b"text", links.sign(b"text"))
    before = links.sign(b"text")
    keys.replace([_entry("b", b"b"), _entry("a", b"a")])
    assert links.sign(b"text") != before
    assert links.verify(b"text", before)


def test_a_value_that_cannot_be_used_leaves_the_keys_as_they_were() -> None:
    keys = MacKeys([b"a" * 32])
    signed = keys.sign(b"text")
    for entries in ([], ["b=QUI="]):
        with pytest.raises(ValueError, match="key"):
            keys.replace(entries)
    assert keys.verify(b"text", signed)

"""Steps of a rotation: no step takes away what another process still uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.runner.keys import Keys, completed
from local.runner.rotation import (
    KEPT,
    UnknownKey,
    activated,
    chosen,
    droppable,
    dropped,
    kids_of,
    published,
    rotating,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAME = "encryption.agent"


def test_a_new_key_is_published_before_it_makes_and_the_old_one_stays() -> None:
    first = Keys.ephemeral().values
    old = first[NAME]
    offered = published(first, [NAME], NOW)
    assert offered[NAME].split(",")[0] == old
    assert kids_of(offered[NAME])[1] == "20300101T000000Z"
    made = activated(offered, [NAME])
    assert made[NAME].split(",") == offered[NAME].split(",")[::-1]
    assert {name for name in first if made[name] != first[name]} == {NAME}


def test_a_rotation_that_broke_off_is_done_again_with_a_key_of_now() -> None:
    offered = published(Keys.ephemeral().values, [NAME], NOW)
    again = published(offered, [NAME], NOW + timedelta(hours=1))
    assert kids_of(again[NAME])[1:] == ["20300101T010000Z"]
    made = activated(again, [NAME])
    assert activated(made, [NAME]) == made
    # Its predecessor made things until then.
    assert droppable(made, [NAME], NOW + KEPT["encryption"]) == {}
    assert droppable(made, [NAME], NOW + KEPT["encryption"] + timedelta(hours=1)) != {}


def test_two_rotations_within_a_second_get_two_ids() -> None:
    once = activated(published(Keys.ephemeral().values, [NAME], NOW), [NAME])
    twice = activated(published(once, [NAME], NOW), [NAME])
    assert kids_of(twice[NAME])[:2] == ["20300101T000001Z", "20300101T000000Z"]


def test_a_key_is_dropped_only_when_what_it_made_has_expired() -> None:
    values = activated(published(Keys.ephemeral().values, rotating(Keys.ephemeral().values), NOW), ["realtime.token"])
    old = kids_of(values["realtime.token"])[1]
    kept = KEPT["realtime"]
    assert droppable(values, ["realtime.token"], NOW + kept - timedelta(seconds=1)) == {}
    past = droppable(values, ["realtime.token"], NOW + kept)
    assert past == {"realtime.token": [old]}
    assert kids_of(dropped(values, past)["realtime.token"]) == ["20300101T000000Z"]


def test_a_published_key_and_the_one_that_makes_are_never_dropped() -> None:
    values = published(Keys.ephemeral().values, [NAME], NOW)
    assert droppable(values, [NAME], NOW + timedelta(days=900)) == {}
    assert dropped(values, {NAME: [kids_of(values[NAME])[0]]})[NAME] == values[NAME]


def test_an_installation_of_before_keys_had_ids_rotates_too() -> None:
    bare = {name: value.partition("=")[2] for name, value in Keys.ephemeral().values.items() if name == NAME}
    made = activated(published(bare, [NAME], NOW), [NAME])
    assert kids_of(made[NAME]) == ["20300101T000000Z", ""]
    assert droppable(made, [NAME], NOW + KEPT["encryption"]) == {NAME: [""]}


def test_the_keys_of_an_older_installation_read_as_they_did() -> None:
    fresh = Keys.ephemeral().values
    older = {
        name: value.partition("=")[2] if name.startswith(("principal.", "encryption.", "cursor.")) else value
        for name, value in fresh.items()
        if name != "cursor.gateway"
    }
    keys = Keys(completed(older))
    agent = keys.service_environment("agent")
    assert agent["ENCRYPTION_KEYS"] == f"k1={older[NAME]}"
    assert agent["CURSOR_KEY"] == older["cursor.agent"]
    assert agent["PRINCIPAL_SIGNING_KEY"] == f"agent={older['principal.agent']}"
    assert all("/" not in entry.partition("=")[0] for entry in keys.trusted_keys().split(","))


def test_names_are_chosen_by_use_and_by_owner() -> None:
    values = Keys.ephemeral().values
    assert chosen(values, ["encryption.agent", "realtime"]) == ["encryption.agent", "realtime.token"]
    assert chosen(values, []) == rotating(values)
    assert not [name for name in rotating(values) if name.startswith(("password.", "nats."))]
    with pytest.raises(UnknownKey, match=r"password\.agent"):
        chosen(values, ["password.agent.app"])

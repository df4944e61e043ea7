"""The secrets of an installation: made once, private, completed when the suite learns new ones."""

from __future__ import annotations

import json
from pathlib import Path

from local.runner.keys import Keys
from suite.services import SERVICES


def test_keys_are_made_once_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "keys.json"
    first = Keys.load_or_create(file)
    assert Keys.load_or_create(file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_name_missing_from_an_older_file_is_added_and_the_rest_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    first = Keys.load_or_create(file)
    older = {name: value for name, value in first.values.items() if not name.startswith("cursor.")}
    file.write_text(json.dumps(older))
    second = Keys.load_or_create(file)
    assert second.values.keys() == first.values.keys()
    assert all(second.values[name] == value for name, value in older.items())


def test_no_two_secrets_are_equal() -> None:
    values = list(Keys.ephemeral().values.values())
    assert len(values) == len(set(values))


def test_every_issuer_is_trusted_and_no_private_seed_is_in_the_list() -> None:
    keys = Keys.ephemeral()
    trusted = dict(entry.split("=", 1) for entry in keys.trusted_keys().split(","))
    assert {name.partition("/")[0] for name in trusted} == {"gateway", *SERVICES}
    assert not set(trusted.values()) & set(keys.values.values())


def test_realtime_alone_signs_socket_tokens() -> None:
    keys = Keys.ephemeral()
    holders = {name for name in ("gateway", *SERVICES) if "REALTIME_TOKEN_KEYS" in keys.service_environment(name)}
    assert holders == {"realtime"}

"""`python3 -m local keys rotate|retire`: replace the keys of this installation while it runs.

Writes the files that the running processes read again, and waits until each of them says on its operations port that it
has taken them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx

from libs.clock import utcnow
from libs.keys import ACTIVE, made_at
from local.runner import rotation
from local.runner.folder import Folder
from local.runner.keys import Keys
from local.runner.retirement import retirement
from local.runner.shown_keys import keys_of
from local.stores import write_private
from local.terminal import fail, say

# Seconds until every process has read changed files; they look every 2 s.
PATIENCE = 60.0
# The setting by which a process shows a key, by what the key is for.
SETTINGS = {
    "principal": "PRINCIPAL_SIGNING_KEY", "encryption": "ENCRYPTION_KEYS", "cursor": "CURSOR_KEY",
    "realtime": "REALTIME_TOKEN_KEYS",
}  # fmt: skip


def rotate(folder: Folder, words: list[str]) -> int:
    """Publish new keys, let them make, and say until when the old ones check."""
    keys = Keys.load_or_create(folder.keys_file)
    try:
        names = rotation.chosen(keys.values, words)
    except rotation.UnknownKey as error:
        return fail(str(error))
    if retire(folder, words):
        return 1
    keys = _saved(folder, rotation.published(Keys.load_or_create(folder.keys_file).values, names, utcnow()))
    new = {name: rotation.kids_of(keys.values[name])[-1] for name in names}
    if late := _late(folder, lambda process: _lacks(process, keys, names)):
        return fail(f"{late} did not take the published keys. Run the command again; nothing was replaced yet.")
    say(f"· {len(names)} new keys published to {len(_processes(folder))} processes")
    keys = _saved(folder, rotation.activated(keys.values, names))
    if late := _late(folder, lambda process: _is_behind(process, keys, names)):
        return fail(f"{late} does not use the new keys yet; see its log.")
    for name in names:
        until = _kept_until(keys.values[name], name)
        say(f"  {name}: {new[name]} makes" + (f"; the old key checks until {until}" if until else ""))
    say("`python3 -m local keys retire` drops old keys whose time is over.")
    return 0


def retire(folder: Folder, words: list[str]) -> int:
    """Drop the keys whose time is over. An encryption key stays while a stored value needs it."""
    keys = Keys.load_or_create(folder.keys_file)
    admin_url = folder.read_run()["stores"]["postgres"]["adminUrl"] if folder.is_running() else None
    try:
        names = rotation.chosen(keys.values, words)
        found = asyncio.run(retirement(keys.values, names, utcnow(), admin_url))
    except rotation.UnknownKey as error:
        return fail(str(error))
    for sentence in found.kept:
        say(f"  {sentence}")
    if found.past:
        _saved(folder, rotation.dropped(keys.values, found.past))
    for name, kids in found.past.items():
        say(f"· {name}: dropped {', '.join(kid or 'the first key' for kid in kids)}")
    return 0


def _saved(folder: Folder, values: Mapping[str, str]) -> Keys:
    """The installation's own file first: what processes read can be made from it again."""
    keys = Keys(dict(values))
    keys.save(folder.keys_file)
    for process in _processes(folder):
        files = folder.path / "secrets" / process["name"]
        for name, value in keys.service_environment(process["service"]).items():
            if (files / name).exists() and (files / name).read_text(encoding="utf-8") != value:
                write_private(files / name, value)
    return keys


def _processes(folder: Folder) -> list[dict[str, Any]]:
    """Those that read keys; none when the suite is down."""
    if not folder.is_running():
        return []
    return [entry for entry in folder.read_run().get("processes", []) if entry.get("ops")]


def _late(folder: Folder, lacks: Callable[[dict[str, Any]], bool]) -> str:
    """The name of a process that still lacks something after all patience; empty when none does."""
    deadline = time.monotonic() + PATIENCE
    # A list anew each time, because a process that ends is replaced by another.
    while waiting := [process["name"] for process in _processes(folder) if lacks(process)]:
        if time.monotonic() > deadline:
            return str(waiting[0])
        time.sleep(0.2)
    return ""


def _lacks(process: Mapping[str, Any], keys: Keys, names: Iterable[str]) -> bool:
    """Whether it does not check with every new key yet."""
    shown = _shown(process)
    if shown is None:
        return True
    trusted = {row["kid"] for row in shown if row["state"] == "trusted"}
    if trusted and not trusted >= {entry.partition("=")[0] for entry in keys.trusted_keys().split(",")}:
        return True
    # A signing key is not published to the process that will sign with it.
    others = (name for name in names if not name.startswith("principal."))
    return any(_state(shown, process, name, rotation.kids_of(keys.values[name])[-1]) == "" for name in others)


def _is_behind(process: Mapping[str, Any], keys: Keys, names: Iterable[str]) -> bool:
    shown = _shown(process)
    states = (_state(shown, process, name, rotation.kids_of(keys.values[name])[0]) for name in names)
    return shown is None or any(state not in (None, ACTIVE) for state in states)


def _state(shown: list[dict[str, Any]] | None, process: Mapping[str, Any], name: str, kid: str) -> str | None:
    """The state of this key in the process, "" for one that it does not have; None where it uses no such key."""
    use, _, owner = name.partition(".")
    if owner not in (process["service"], "token") or (owner == "token" and process["service"] != "realtime"):
        return None
    rows = [row for row in shown or () if row["setting"] == SETTINGS[use]]
    return next((row["state"] for row in rows if row["kid"].rpartition("/")[2] == kid), "") if rows else None


def _shown(process: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    try:
        return keys_of(process)
    except (httpx.HTTPError, json.JSONDecodeError):
        return None  # it is being replaced; its next one reads the files at its start


def _kept_until(value: str, name: str) -> str:
    kids = rotation.kids_of(value)
    replaced = made_at(kids[0]) if len(kids) > 1 else None
    if replaced is None:
        return ""
    until: datetime = replaced + rotation.KEPT[name.partition(".")[0]]
    return until.strftime("%Y-%m-%d %H:%M UTC")

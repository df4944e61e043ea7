"""Keys that change while a process runs: their files are read again when they change, without a restart.

A Secret that Kubernetes mounts changes by a symbolic link, a local file by a rename; both show in `stat`. A file that
cannot be read or does not make sense leaves the process with the keys that it has, is logged, and shows in a metric.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from libs.config import ConfigError, ProcessSettings, file_of, reread
from libs.keys import made_at, states
from libs.telemetry import redaction
from libs.telemetry.metrics import KEY_CREATED, KEY_RELOADS
from libs.telemetry.ops import Page

_log = logging.getLogger(__name__)

# Seconds between looks at the files. Longer: a new key takes longer to arrive.
PERIOD_SECONDS = 2.0
# The state of every public key: it only verifies, whichever one signs.
TRUSTED = "trusted"

Take = Callable[[Any], object]


@dataclass
class _Followed:
    env: str
    file: Path | None
    value: Any
    takers: list[Take] = field(default_factory=list)
    # Device, inode, time and size of the file at the last look.
    seen: tuple[int, ...] = ()


class KeyFiles:
    """The settings that hold keys, and who takes their new values."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self._followed: dict[str, _Followed] = {}

    def follow(self, name: str, take: Take) -> None:
        """Call `take` with the value of the setting whenever its file says another one. `take` raises ValueError or
        ConfigError for a value that it cannot use."""
        if name not in self._followed:
            declared = next(each for each in dataclasses.fields(self._settings) if each.name == name)
            env = declared.metadata["env"]
            self._followed[name] = _Followed(env, file_of(env), getattr(self._settings, name))
            self._show()
        self._followed[name].takers.append(take)

    async def watch(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            for name, followed in self._followed.items():
                if followed.file is not None and _has_changed(followed):
                    self._reload(name, followed)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_SECONDS):
                    await stop.wait()

    async def page(self) -> Page:
        """`/keys` of the operations port: id, age and state of every key, never a key."""
        rows = [
            {"setting": setting, "kid": kid, "state": state, "createdAt": made.isoformat() if made else None}
            for setting, kid, state in self._rows()
            for made in (made_at(kid),)
        ]
        return Page(200, json.dumps({"keys": rows}).encode(), "application/json")

    def _reload(self, name: str, followed: _Followed) -> None:
        try:
            value = reread(self._settings, name)
            if value == followed.value:
                return
            redaction.register([value] if isinstance(value, str) else value)
            for take in followed.takers:
                take(value)
        except (ValueError, ConfigError) as error:
            KEY_RELOADS.labels(followed.env, "failed").inc()
            _log.error("%s was changed and cannot be used: %s. The keys of before stay.", followed.env, error)
            followed.seen = ()  # read again at the next look: a read may fail once
            return
        followed.value = value
        KEY_RELOADS.labels(followed.env, "taken").inc()
        _log.info("keys were replaced", extra={"setting": followed.env, "kids": _kids(value)})
        self._show()

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for name, followed in self._followed.items():
            kids = _kids(followed.value)
            public = name == "principal_trusted_keys"
            for kid, state in zip(kids, [TRUSTED] * len(kids) if public else states(kids), strict=True):
                yield followed.env, kid, state

    def _show(self) -> None:
        KEY_CREATED.clear()
        for setting, kid, state in self._rows():
            made = made_at(kid)
            KEY_CREATED.labels(setting, kid, state).set(made.timestamp() if made else 0)


def _has_changed(followed: _Followed) -> bool:
    """Also at the first look, because the file may have changed since the settings were read."""
    assert followed.file is not None  # noqa: S101 only files are looked at
    try:
        found = followed.file.stat()
    except OSError:
        return False
    seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
    changed, followed.seen = seen != followed.seen, seen
    return changed


def _kids(value: str | Sequence[str]) -> list[str]:
    """The ids of the keys, without the keys. A bare key has none."""
    entries = [value] if isinstance(value, str) else value
    return [name if tail.strip("=") else "" for name, _, tail in (entry.partition("=") for entry in entries if entry)]

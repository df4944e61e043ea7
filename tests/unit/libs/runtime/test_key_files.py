"""Files of keys that change while a process runs."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.config import ServiceSettings, load
from libs.crypto import Envelope
from libs.runtime import keys as key_files
from libs.runtime.keys import KeyFiles
from libs.telemetry.metrics import REGISTRY

OLD, NEW = "20260101T000000Z", "20261128T013000Z"
AAD = ("org_1", "table", "row", "column")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a value in place as the kubelet does: a new folder, then a link that is replaced."""
    monkeypatch.setenv("ENCRYPTION_KEYS_FILE", str(tmp_path / "ENCRYPTION_KEYS"))
    monkeypatch.setattr(key_files, "PERIOD_SECONDS", 0.005)
    (tmp_path / "ENCRYPTION_KEYS").symlink_to("..data/ENCRYPTION_KEYS")
    versions = iter(range(100))

    def mount(text: str) -> None:
        folder = tmp_path / f"..{next(versions)}"
        folder.mkdir()
        (folder / "ENCRYPTION_KEYS").write_text(text + "\n", encoding="utf-8")
        (tmp_path / "..next").symlink_to(folder.name)
        (tmp_path / "..next").rename(tmp_path / "..data")

    return mount


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def _failures() -> float:
    return REGISTRY.get_sample_value("key_reloads_total", {"setting": "ENCRYPTION_KEYS", "outcome": "failed"}) or 0.0


async def test_a_running_process_takes_a_changed_file(mounted: Callable[[str], None]) -> None:
    mounted(_valid(OLD))
    settings = load(ServiceSettings)
    envelope, files, stop = Envelope(settings.encryption_keys), KeyFiles(settings), asyncio.Event()
    files.follow("encryption_keys", envelope.replace)
    watching = asyncio.create_task(files.watch(stop))
    sealed = envelope.encrypt(b"secret", AAD)
    mounted(f"{_valid(NEW)},{_valid(OLD)}")
    await _until(lambda: envelope.current == "20261128T013000Z")
    assert envelope.decrypt(sealed, AAD) == b"secret"
    shown = json.loads((await files.page()).body)["keys"]
    assert [(row["kid"], row["state"], row["createdAt"]) for row in shown] == [
        ("20261128T013000Z", "active", "2026-11-28T01:30:00+00:00"),
        ("20260101T000000Z", "retiring", "2026-01-01T00:00:00+00:00"),
    ]
    labels = {"setting": "ENCRYPTION_KEYS", "kid": "20261128T013000Z", "state": "active"}
    assert REGISTRY.get_sample_value("key_created_timestamp_seconds", labels) == 1795829400
    stop.set()
    await watching


@pytest.mark.parametrize("text", ["", "nonsense", "k1=QUI="])
async def test_a_file_that_makes_no_sense_leaves_the_keys(mounted: Callable[[str], None], text: str) -> None:
    mounted(_valid(OLD))
    settings = load(ServiceSettings)
    envelope, files, stop = Envelope(settings.encryption_keys), KeyFiles(settings), asyncio.Event()
    files.follow("encryption_keys", envelope.replace)
    watching, before = asyncio.create_task(files.watch(stop)), _failures()
    mounted(text)
    await _until(lambda: _failures() > before)
    assert envelope.current == "20260101T000000Z"
    mounted(_valid(NEW))
    await _until(lambda: envelope.current == "20261128T013000Z")
    stop.set()
    await watching


async def test_a_file_that_could_not_be_used_once_is_read_again(mounted: Callable[[str], None]) -> None:
    mounted(_valid(OLD))
    settings = load(ServiceSettings)
    taken: list[tuple[str, ...]] = []

    def take(keys: tuple[str, ...]) -> None:
        taken.append(keys)
        if len(taken) == 1:
            raise ValueError("not yet")

    files, stop = KeyFiles(settings), asyncio.Event()
    files.follow("encryption_keys", take)
    watching = asyncio.create_task(files.watch(stop))
    mounted(_valid(NEW))
    await _until(lambda: len(taken) == 2)
    stop.set()
    await watching


async def test_a_change_between_the_start_and_the_first_look_is_not_missed(mounted: Callable[[str], None]) -> None:
    mounted(_valid(OLD))
    settings = load(ServiceSettings)
    mounted(_valid(NEW))
    taken: list[tuple[str, ...]] = []
    files, stop = KeyFiles(settings), asyncio.Event()
    files.follow("encryption_keys", taken.append)
    watching = asyncio.create_task(files.watch(stop))
    await _until(lambda: bool(taken))
    assert taken == [(_valid(NEW),)]
    stop.set()
    await watching


def _valid(kid: str) -> str:
    return f"{kid}={base64.b64encode(kid.encode() * 2).decode()}"

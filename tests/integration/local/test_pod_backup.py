"""A cluster's backup: archives come and go at the object store's address, and the newest or a named one comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from libs.blobs import BlobStore
from local.backup import pod
from local.backup.archive import DATABASE, BackupFailed


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / DATABASE).write_bytes(b"PGDMP as pg_dump left it")
    (tmp_path / "keys.json").write_text(json.dumps({"encryption.agent": "k"}), encoding="utf-8")
    blobs = tmp_path / "blobs" / "org_a"
    blobs.mkdir(parents=True)
    (blobs / "recording").write_bytes(b"sound")
    return folder


async def test_what_was_stored_comes_back_whole(work: Path, tmp_path: Path) -> None:
    store = BlobStore.from_url(f"file://{tmp_path / 'backups'}")
    name = await pod.save(store, work, tmp_path / "keys.json", tmp_path / "blobs", keep=3)
    assert await pod.names(store) == [name]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert await pod.fetch(store, empty) == name
    assert (empty / DATABASE).read_bytes() == b"PGDMP as pg_dump left it"
    assert json.loads((empty / "keys.json").read_text(encoding="utf-8")) == {"encryption.agent": "k"}
    assert (empty / "objects" / "org_a" / "recording").read_bytes() == b"sound"


async def test_the_oldest_go_and_a_named_one_is_found(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore.from_url(f"file://{tmp_path / 'backups'}")
    for day in range(1, 6):
        monkeypatch.setattr("local.backup.pod.time.strftime", lambda *_, day=day: f"2026010{day}-020000")
        await pod.save(store, work, tmp_path / "keys.json", None, keep=3)
    kept = [f"echosenseix-2026010{day}-020000.tar" for day in (3, 4, 5)]
    assert await pod.names(store) == kept
    assert await pod.fetch(store, work, kept[0]) == kept[0]
    with pytest.raises(BackupFailed, match="20260104"):
        await pod.fetch(store, work, "echosenseix-20250101-020000.tar")


async def test_a_missing_dump_makes_no_archive(work: Path, tmp_path: Path) -> None:
    store = BlobStore.from_url(f"file://{tmp_path / 'backups'}")
    (work / DATABASE).unlink()
    with pytest.raises(BackupFailed, match=r"database\.dump is missing"):
        await pod.save(store, work, tmp_path / "keys.json", None, keep=3)
    assert await pod.names(store) == []
    with pytest.raises(BackupFailed, match="no backup"):
        await pod.fetch(store, work)

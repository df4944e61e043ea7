"""A cluster's backup: archives come and go at the object store's address, and the newest or a named one comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from libs.blobs import BlobStore
from local.backup import pod
from local.backup.archive import DATABASE, BackupFailed
from local.runner.keys import Keys
from local.runner.migrations import migrate_all
from local.runner.topology import with_login
from local.stores import Stores, psql, run_sql
from suite.services import SERVICES
from tests.manifests.conftest import build


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / DATABASE).write_bytes(b"PGDMP as pg_dump left it")
    # As kubelet mounts a Secret: each file is a link into a folder that it replaces as a whole.
    (tmp_path / "..2026_01_01").mkdir()
    (tmp_path / "..2026_01_01" / "keys.json").write_text(json.dumps({"encryption.agent": "k"}), encoding="utf-8")
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
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


async def test_objects_come_back_into_a_volume_beside_what_it_holds(work: Path, tmp_path: Path) -> None:
    store = BlobStore.from_url(f"file://{tmp_path / 'backups'}")
    await pod.save(store, work, tmp_path / "keys.json", tmp_path / "blobs", keep=3)
    volume, empty = tmp_path / "volume", tmp_path / "empty"
    for folder in (volume / "org_a", empty):
        folder.mkdir(parents=True)
    (volume / "org_a" / "recording").write_bytes(b"cut off")
    (volume / "org_a" / "later").write_bytes(b"kept")
    await pod.fetch(store, empty, blobs=volume)
    assert (volume / "org_a" / "recording").read_bytes() == b"sound"
    assert (volume / "org_a" / "later").read_bytes() == b"kept"


async def test_objects_come_back_into_a_volume_of_another_user(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore.from_url(f"file://{tmp_path / 'backups'}")
    await pod.save(store, work, tmp_path / "keys.json", tmp_path / "blobs", keep=3)
    volume, empty = tmp_path / "volume", tmp_path / "empty"
    volume.mkdir()
    empty.mkdir()

    def refuse(name: str) -> None:
        allowed = getattr(os, name)

        def call(path: Any, *args: Any, **options: Any) -> Any:
            if volume in (place := Path(os.fspath(path)), *place.parents):
                raise PermissionError(1, "Operation not permitted", str(path))
            return allowed(path, *args, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("utime", "chmod", "chown"):
        refuse(name)
    await pod.fetch(store, empty, blobs=volume)
    assert (volume / "org_a" / "recording").read_bytes() == b"sound"


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


def _run_pod(container: dict[str, Any], admin_url: str, work: Path) -> None:
    """The container's command as the pod would run it, with its folder and its address put in."""
    program = str(psql().with_name(container["command"][0]))
    words = [word.replace("$(DATABASE_ADMIN_URL)", admin_url).replace("/work", str(work)) for word in container["args"]]
    answer = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


async def test_what_the_pods_dump_they_load_into_a_database_that_has_gone_on(
    stores: Stores, keys: Keys, tmp_path: Path
) -> None:
    """The commands of the CronJob and of the restore Job on a real PostgreSQL, without the containers around them."""
    admin = stores.postgres_admin_dsn.rpartition("/")[0] + "/pod_backup"
    run_sql(stores.postgres_admin_dsn, "create database pod_backup")
    environments = {name: {**keys.service_environment(name), "DATABASE_ADMIN_URL": admin} for name in SERVICES}
    await migrate_all(environments)
    row = "insert into agent.cache_invalidation (event_id, org_id, topic, key) values ('evt', 'org', 'topic', 'key')"
    run_sql(admin, row)
    [cron] = [item for item in build("full") if item["kind"] == "CronJob"]
    pod_spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    _run_pod(pod_spec["initContainers"][0], admin, tmp_path)
    # Later, and by a newer release.
    run_sql(admin, f"{row}; create table agent.added_later (id int)")
    [job] = build("restore")
    spec = job["spec"]["template"]["spec"]
    _run_pod(spec["initContainers"][1], admin, tmp_path)
    _run_pod(spec["containers"][0], admin, tmp_path)
    assert run_sql(admin, "select count(*) from agent.cache_invalidation") == "1"
    assert run_sql(admin, "select to_regclass('agent.added_later') is null") == "t"
    await migrate_all(environments)
    app = with_login(admin, "agent_app", keys.role_password("agent", "app"))
    assert run_sql(app, "select count(*) from agent.agent") == "0", "the role may read what was restored"

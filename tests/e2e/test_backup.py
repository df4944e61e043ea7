"""A backup brought into an empty installation: its users sign in, its data are found, its secrets can be read."""

from __future__ import annotations

import hmac
import json
import tarfile
import time
from pathlib import Path

import httpx
import pytest

from local import backup
from local.backup import archive
from local.backup.archive import BackupFailed
from local.runner.folder import Folder
from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from .conftest import PASSWORD, Customer

CREDENTIALS = {"apiKey": "sk_kept_0123456789abcdef", "webhookSecret": "wsec_kept_0123456789abcdef"}


def signed(body: bytes, secret: str) -> dict[str, str]:
    now = str(int(time.time()))
    proof = hmac.new(secret.encode(), f"{now}.".encode() + body, "sha256").hexdigest()
    return {"ElevenLabs-Signature": f"t={now},v0={proof}", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def saved(suite: Suite, ada: Customer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the running suite with an agent, a provider's key and an indexed document of Ada's."""
    ada.agent(name="Kept through the fire")
    made = ada.http.put("/api/integrations/elevenlabs", json={"credentials": CREDENTIALS})
    assert made.status_code in (200, 201), made.text
    words = b"The lighthouse keeper waters the tulips on Thursdays."
    uploaded = ada.http.post("/api/documents/upload", files={"document": ("tulips.txt", words)}).json()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (job := ada.http.get(f"/api/jobs/{uploaded['jobId']}").json())["state"] != "completed":
        assert job["state"] != "failed", job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    file = tmp_path_factory.mktemp("backup") / "suite.tar"
    return backup.create(suite.folder, file, {}, lambda _: None)


@pytest.fixture(scope="module")
def machine(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Another installation, into which the archive was restored."""
    folder = Folder(tmp_path_factory.mktemp("machine") / "var")
    backup.restore(folder, saved, {}, lambda _: None)
    return folder


def test_an_empty_machine_takes_it_over(machine: Folder, ada: Customer) -> None:
    with Suite(machine.path, environment={"LIMITS": "bench"}) as restored:
        login = httpx.post(f"{restored.url}/api/login", json={"email": ada.email, "password": PASSWORD}, timeout=30)
        assert login.status_code == 200, login.text
        headers = {"Authorization": "Bearer " + login.json()["token"]}
        with httpx.Client(base_url=restored.url, headers=headers, timeout=30) as http:
            names = [agent["name"] for agent in http.get("/api/agents?limit=200").json()["data"]]
            assert "Kept through the fire" in names
            hits = http.post("/api/knowledge-base/search", json={"query": "lighthouse tulips"}).json()
            assert "lighthouse" in json.dumps(hits)
            integration = http.get("/api/integrations/elevenlabs").json()
            # The proof is checked with the decrypted webhook secret: without the keys it could not pass.
            hook = httpx.URL(integration["webhookUrl"]).path
            body = b'{"type":"ping","event_timestamp":1,"data":{}}'
            assert http.post(hook, content=body, headers=signed(body, "wsec_forged")).status_code == 401
            assert http.post(hook, content=body, headers=signed(body, CREDENTIALS["webhookSecret"])).status_code < 300
            assert http.post("/api/agents", json={"name": "After the fire"}).status_code == 201


def test_the_archive_can_be_read_by_its_owner_alone_and_names_what_it_holds(saved: Path) -> None:
    assert saved.stat().st_mode & 0o077 == 0
    with tarfile.open(saved) as tar:
        names = tar.getnames()
    assert {"manifest.json", "keys.json", "database.dump"} <= set(names)
    assert any(name.startswith("objects/") for name in names)


def test_a_damaged_archive_is_refused_before_anything_changes(saved: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar"
    content = bytearray(saved.read_bytes())
    with tarfile.open(saved) as tar:
        content[tar.getmember("database.dump").offset_data + 1000] ^= 0xFF
    damaged.write_bytes(content)
    folder = Folder(tmp_path / "var")
    with pytest.raises(BackupFailed, match="damaged"):
        backup.restore(folder, damaged, {}, lambda _: None)
    assert not folder.keys_file.exists()
    (tmp_path / "other.tar").write_bytes(b"no tar at all")
    with pytest.raises(BackupFailed, match="no whole backup"):
        backup.restore(folder, tmp_path / "other.tar", {}, lambda _: None)


def test_a_running_suite_is_not_restored_over(suite: Suite, saved: Path) -> None:
    with pytest.raises(BackupFailed, match="make down"):
        backup.restore(suite.folder, saved, {}, lambda _: None)


def test_an_installation_that_holds_data_is_replaced_only_on_demand(machine: Folder, saved: Path) -> None:
    with pytest.raises(BackupFailed, match="REPLACE=1"):
        backup.restore(machine, saved, {}, lambda _: None)
    backup.restore(machine, saved, {}, lambda _: None, replace=True)


def test_a_suite_that_is_down_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="make up"):
        backup.create(Folder(tmp_path), None, {}, lambda _: None)


def test_a_dump_that_cannot_be_loaded_leaves_the_rows_and_the_keys_as_they_were(
    machine: Folder, saved: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    archive.unpack(saved, broken)
    (broken / archive.DATABASE).write_bytes((broken / archive.DATABASE).read_bytes()[:-2000])
    names = (archive.KEYS, archive.CREDENTIALS, archive.DATABASE)
    file = tmp_path / "broken.tar"
    archive.write(file, {"objects": "included"}, [archive.Member(name, broken / name) for name in names])
    keys = machine.keys_file.read_text(encoding="utf-8")
    with pytest.raises(BackupFailed):
        backup.restore(machine, file, {}, lambda _: None, replace=True)
    assert machine.keys_file.read_text(encoding="utf-8") == keys
    with pytest.raises(BackupFailed, match="already holds"):
        backup.restore(machine, saved, {}, lambda _: None)

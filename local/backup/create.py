"""`make backup`: one archive of the running installation, without stopping it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from local.backup import archive, database
from local.backup.archive import BackupFailed, Member
from local.runner.folder import Folder


def create(folder: Folder, file: Path | None, given: Mapping[str, str], tell: Callable[[str], None]) -> Path:
    """The archive's path. Raises BackupFailed when the suite is not running."""
    document = folder.read_run()
    if not folder.is_running() or document.get("state") != "ready":
        raise BackupFailed("The suite is not running: `make up` first. A backup reads the database through it.")
    file = (file or folder.path / "backups" / f"echosenseix-{time.strftime('%Y%m%d-%H%M%S')}.tar").resolve()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    blobs, elsewhere = blobs_folder(folder, given)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as scratch:
        dumped = Path(scratch) / archive.DATABASE
        tell("database")
        database.dump(document["stores"]["postgres"]["adminUrl"], dumped)
        # After the database: an object is written before the row that names it, so none of the dump's is missing.
        tell("objects" if blobs else f"objects stay in {elsewhere}")
        members = [
            Member(archive.KEYS, folder.keys_file),
            Member(archive.CREDENTIALS, folder.credentials_file),
            Member(archive.DATABASE, dumped),
        ]
        facts = {"createdAt": datetime.now(UTC).isoformat(timespec="seconds"), "objects": elsewhere or "included"}
        archive.write(file, facts, [*members, *(archive.objects(blobs) if blobs else ())])
    return file


def blobs_folder(folder: Folder, given: Mapping[str, str]) -> tuple[Path | None, str]:
    """The local folder of documents and recordings, or the address of the object store that keeps them."""
    url = given.get("BLOBS_URL") or f"file://{folder.path / 'blobs'}"
    if urlsplit(url).scheme == "file":
        return Path(urlsplit(url).path), ""
    return None, url

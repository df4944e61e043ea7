"""`make restore FILE=…`: bring an archive into an installation that holds nothing yet, or replace what it holds."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from local.backup import archive, database
from local.backup.archive import BackupFailed
from local.backup.create import blobs_folder
from local.runner import migrations
from local.runner.folder import Folder
from local.runner.keys import Keys
from local.runner.runner import DATABASE
from local.stores import Stores, run_sql
from local.stores.store import write_private
from suite.services import SERVICES


def restore(
    folder: Folder, file: Path, given: Mapping[str, str], tell: Callable[[str], None], *, replace: bool = False
) -> None:
    """Raises BackupFailed before it changes anything when the archive is damaged or the suite runs or holds data."""
    if folder.is_running():
        raise BackupFailed("The suite is running: `make down` first.")
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.path, prefix=".restore-") as scratch:
        tell("archive")
        # Everything is unpacked and compared before anything is replaced.
        manifest = archive.unpack(file, Path(scratch))
        if given.get("DATABASE_URL"):
            _restore(folder, Path(scratch), given["DATABASE_URL"], tell, replace=replace)
        else:
            tell("stores")
            with Stores(folder.path / "data", parts=("postgres",), logs=folder.logs) as stores:
                admin = stores.postgres_admin_dsn
                if DATABASE not in run_sql(admin, "select datname from pg_database").split():
                    run_sql(admin, f"create database {DATABASE}")
                _restore(folder, Path(scratch), f"{admin.rpartition('/')[0]}/{DATABASE}", tell, replace=replace)
        blobs, elsewhere = blobs_folder(folder, given)
        if blobs and (Path(scratch) / "objects").exists():
            tell("objects")
            shutil.copytree(Path(scratch) / "objects", blobs, dirs_exist_ok=True)
        elif manifest["objects"] != "included":
            tell(f"objects are expected in {elsewhere or manifest['objects']}")


def _restore(folder: Folder, unpacked: Path, admin: str, tell: Callable[[str], None], *, replace: bool) -> None:
    if database.has_rows(admin) and not replace:
        raise BackupFailed(
            "This database already holds an organization, which a restore would throw away. "
            "Restore into an empty installation, or say REPLACE=1."
        )
    # Until the rows are replaced, the keys and passwords here belong to the rows here.
    tell("roles")
    asyncio.run(migrations.migrate_all(_environments(folder, admin)))
    tell("database")
    database.load(admin, unpacked / archive.DATABASE)
    _take(unpacked / archive.KEYS, folder.keys_file)
    _take(unpacked / archive.CREDENTIALS, folder.credentials_file)
    # Gives the roles the archive's passwords, and brings a backup of an older release up to this one.
    tell("migrations")
    asyncio.run(migrations.migrate_all(_environments(folder, admin)))


def _environments(folder: Folder, admin: str) -> dict[str, dict[str, str]]:
    keys = Keys.load_or_create(folder.keys_file)
    return {service: {**keys.service_environment(service), "DATABASE_ADMIN_URL": admin} for service in SERVICES}


def _take(restored: Path, file: Path) -> None:
    """The archive's file in the place of what this installation had."""
    file.unlink(missing_ok=True)
    if restored.exists():
        write_private(file, restored.read_text(encoding="utf-8"))

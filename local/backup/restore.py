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
            "This database already holds an organisation, which a restore would throw away. "
            "Restore into an empty installation, or say REPLACE=1."
        )
    write_private(folder.keys_file, (unpacked / archive.KEYS).read_text(encoding="utf-8"))
    # What this installation had names an organisation of the database that goes.
    folder.credentials_file.unlink(missing_ok=True)
    if (unpacked / archive.CREDENTIALS).exists():
        write_private(folder.credentials_file, (unpacked / archive.CREDENTIALS).read_text(encoding="utf-8"))
    keys = Keys.load_or_create(folder.keys_file)
    environments = {service: {**keys.service_environment(service), "DATABASE_ADMIN_URL": admin} for service in SERVICES}
    tell("roles")
    asyncio.run(migrations.migrate_all(environments))
    tell("database")
    database.load(admin, unpacked / archive.DATABASE)
    # A backup of an older release is brought up to this one.
    tell("migrations")
    asyncio.run(migrations.migrate_all(environments))

"""`make reset`: throw the installation's data away. What lies outside of this folder is named first, and asked about.

The schemas of a database that DATABASE_URL names are dropped only after its name was typed. Its roles stay, and so do
the secrets, because the roles keep their passwords.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from local.runner.external import place
from local.runner.folder import Folder
from local.stores import StoreFailed, run_sql
from local.terminal import fail, say
from suite.services import SERVICES

# Everything below var/ except the secrets, which a database elsewhere may still need.
LOCAL = ("data", "blobs", "nginx", "log")


def reset(options: argparse.Namespace, stop: Callable[[argparse.Namespace], int]) -> int:
    folder = Folder(options.var)
    database = os.environ.get("DATABASE_URL", "")
    # Read before the stop, which rewrites run.json.
    elsewhere = database or _last_database(folder)
    if database and not _is_wanted(database, options.yes):
        return fail("nothing was changed")
    if stop(options) != 0:
        return 1
    if database:
        try:
            _drop_schemas(os.environ.get("DATABASE_DIRECT_URL") or database)
        except StoreFailed as error:
            return fail(f"The schemas at {place(database)} could not be dropped: {error}")
    elif elsewhere:
        say(f"the database at {place(elsewhere)} stays as it is; set DATABASE_URL to reset it too")
    _delete_local(folder, keep_secrets=bool(elsewhere))
    say("all local data are gone" + ("; the secrets stay, because the database's roles have them" if elsewhere else ""))
    return 0


def _last_database(folder: Folder) -> str:
    """The database of the last run, where it was not the embedded one."""
    postgres = folder.read_run().get("stores", {}).get("postgres", {})
    return str(postgres.get("url") or "") if postgres and not postgres.get("data") else ""


def _is_wanted(database: str, is_sure: bool) -> bool:
    name = urlsplit(database).path.lstrip("/") or "postgres"
    say(
        f"DATABASE_URL names the database {name} at {place(database)}. This drops its schemas {', '.join(SERVICES)} "
        "with all their data, and deletes the data of this folder. What REDIS_URL and NATS_URL name is left as it is."
    )
    if is_sure:
        return True
    sys.stdout.write(f"Type {name} to go on: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip() == name


def _drop_schemas(database: str) -> None:
    run_sql(database, "; ".join(f'drop schema if exists "{service}" cascade' for service in SERVICES))


def _delete_local(folder: Folder, *, keep_secrets: bool) -> None:
    for name in (*LOCAL, *(() if keep_secrets else ("secrets",))):
        if (folder.path / name).exists():
            shutil.rmtree(folder.path / name)
    folder.run_file.unlink(missing_ok=True)
    folder.credentials_file.unlink(missing_ok=True)

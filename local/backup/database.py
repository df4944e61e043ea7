"""The schemas of all services as one dump in PostgreSQL's custom format, by the programs of the embedded PostgreSQL.

pg_dump reads one snapshot, so the services go on writing. A dump of an older server can be restored into a newer one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local.backup.archive import BackupFailed
from local.processes.probes import split_login
from local.stores import psql, run_sql
from suite.services import SERVICES

# A hundred gigabytes at 50 MB/s; a dump that hangs must end too.
_SECONDS = 3600


def dump(admin_url: str, file: Path) -> None:
    """Every service's schema into `file`."""
    schemas = [part for service in SERVICES for part in ("--schema", service)]
    # A low level: the database is read at the speed of its disk, and one core must keep up.
    _run(admin_url, "pg_dump", "--format=custom", "--compress=3", *schemas, "--file", str(file), "--dbname")


def load(admin_url: str, file: Path) -> None:
    """Replace the schemas by those of the dump in one transaction: if it fails, they are as before. Their roles must
    exist. k8s/overlays/restore does the same."""
    script = file.with_suffix(".sql")
    # As a script, because pg_restore cannot drop and load in one transaction.
    _run("", "pg_restore", "--file", str(script), str(file))
    drop = "".join(f"drop schema if exists {service} cascade;" for service in SERVICES)
    _run(
        admin_url, "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
        "--output=/dev/null", "--command", drop, "--file", str(script), "--dbname",
    )  # fmt: skip


def has_rows(admin_url: str) -> bool:
    """Whether an organization lives in this database, which a restore would throw away."""
    if run_sql(admin_url, "select to_regclass('identity.organization') is not null") != "t":
        return False
    return run_sql(admin_url, "select exists (select from identity.organization)") == "t"


def _run(admin_url: str, program: str, *arguments: str) -> None:
    """The program with these arguments, and after them the address if there is one."""
    address, login = split_login(admin_url)
    answer = subprocess.run(  # noqa: S603 programs of the wheel
        [str(psql().with_name(program)), *arguments, *([address] if address else [])],
        capture_output=True, text=True, timeout=_SECONDS, check=False, env={**os.environ, **login},
    )  # fmt: skip
    if answer.returncode != 0:
        raise BackupFailed(f"{program} failed: {answer.stderr.strip()[-2000:]}")

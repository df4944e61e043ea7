"""The schemas of all services as one dump in PostgreSQL's custom format, by the programs of the embedded PostgreSQL.

pg_dump reads one snapshot, so the services go on writing. A dump of an older server can be restored into a newer one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from local.backup.archive import BackupFailed
from local.stores import psql, run_sql
from suite.services import SERVICES

# A hundred gigabytes at 50 MB/s; a dump that hangs must end too.
_SECONDS = 3600


def dump(admin_url: str, file: Path) -> None:
    """Every service's schema into `file`."""
    schemas = [part for service in SERVICES for part in ("--schema", service)]
    _run("pg_dump", "--format=custom", "--compress=3", *schemas, "--file", str(file), admin_url)


def load(admin_url: str, file: Path) -> None:
    """Replace the schemas by those of the dump. Their roles must exist."""
    run_sql(admin_url, "".join(f"drop schema if exists {service} cascade;\n" for service in SERVICES))
    _run("pg_restore", "--exit-on-error", "--single-transaction", "--dbname", admin_url, str(file))


def has_rows(admin_url: str) -> bool:
    """Whether an organisation lives in this database, which a restore would throw away."""
    if run_sql(admin_url, "select to_regclass('identity.organization') is not null") != "t":
        return False
    return run_sql(admin_url, "select exists (select from identity.organization)") == "t"


def _run(program: str, *arguments: str) -> None:
    # The address carries the password; it is in the arguments only of this machine's own short-lived process.
    answer = subprocess.run(  # noqa: S603 programs of the wheel
        [str(psql().with_name(program)), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if answer.returncode != 0:
        raise BackupFailed(f"{program} failed: {answer.stderr.strip()[-2000:]}")

"""Bring every service's schema up to date, all services in one process: `python -m local.runner.migrations`.

The same engine as `python -m services.<svc> migrate`, without six starts of Python. Reads the administrator's settings
of each service as JSON from standard input, because a command line shows its arguments to every user.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from local.paths import ROOT


async def migrate_all(environments: dict[str, dict[str, str]]) -> None:
    # Imported here: the runner imports this module for the fingerprint, and must not pay for asyncpg.
    from libs.config import ServiceSettings, load
    from libs.postgres.migrate import migrate

    for service, environment in environments.items():
        try:
            applied = await migrate(load(ServiceSettings, environment), service, folder(service))
        except Exception as error:  # whatever it is, a person reads it: the server's own words, not a traceback
            sys.exit(f"{service}: {type(error).__name__}: {error}")
        if applied:
            sys.stdout.write(f"{service}: {', '.join(applied)}\n")


def folder(service: str) -> Path:
    return ROOT / "services" / service / "storage" / "migrations"


def fingerprint(cluster: Path, keys: Path) -> str:
    """Of all that decides what migrating does: the SQL, its engine, the roles' passwords, and which cluster it is.

    The same as after the last success: nothing to do, and a warm start saves a second.
    """
    sources = [*ROOT.glob("services/*/storage/migrations/*.sql"), *ROOT.glob("libs/*/*/*.sql")]
    sources += [*ROOT.glob("libs/postgres/*.py"), keys]
    # A cluster that was thrown away and made again has another inode or time, and no schema.
    identity = (cluster / "PG_VERSION").stat()
    digest = hashlib.sha256(f"{identity.st_ino} {identity.st_mtime_ns}".encode())
    for source in sorted(sources):
        digest.update(f"{source.name} {len(source.read_bytes())} ".encode() + source.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    asyncio.run(migrate_all(json.load(sys.stdin)))

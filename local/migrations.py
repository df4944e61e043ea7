"""Bring every service's schema up to date, all services in one process: `python -m local.migrations`.

The same engine as `python -m services.<svc> migrate`, without six starts of Python. Reads the administrator's settings
of each service as JSON from standard input, because a command line shows its arguments to every user.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from libs.config import ServiceSettings, load
from libs.postgres.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent


async def migrate_all(environments: dict[str, dict[str, str]]) -> None:
    for service, environment in environments.items():
        try:
            applied = await migrate(load(ServiceSettings, environment), service, folder(service))
        except Exception as error:  # whatever it is, a person reads it: the server's own words, not a traceback
            sys.exit(f"{service}: {type(error).__name__}: {error}")
        if applied:
            sys.stdout.write(f"{service}: {', '.join(applied)}\n")


def folder(service: str) -> Path:
    return ROOT / "services" / service / "storage" / "migrations"


if __name__ == "__main__":
    asyncio.run(migrate_all(json.load(sys.stdin)))

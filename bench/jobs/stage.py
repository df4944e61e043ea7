"""What our side of the bench stands on: durable stores of its own in a throw-away folder, one migrated schema."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from libs.config import ServiceSettings, load
from libs.jobs import JobKind
from libs.postgres.migrate import migrate
from local.runner.keys import Keys
from local.stores import Stores, run_sql

SERVICE = "bench"
NOTHING = JobKind("bench.nothing", service=SERVICE, queue="bench")


@dataclass(frozen=True)
class Stage:
    stores: Stores
    environment: Mapping[str, str]
    admin_dsn: str

    @property
    def settings(self) -> ServiceSettings:
        return load(ServiceSettings, self.environment)

    def sql(self, text: str) -> str:
        return run_sql(self.admin_dsn, f"set search_path = {SERVICE}; {text}")


@contextlib.contextmanager
def stores_of_our_own(parts: tuple[str, ...] = ("postgres", "nats")) -> Iterator[Stores]:
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder, Stores(Path(folder), parts=parts) as stores:
        yield stores


async def prepare(stores: Stores) -> Stage:
    """A fresh database with nothing but the job tables."""
    keys = Keys.ephemeral((SERVICE,))
    run_sql(stores.postgres_admin_dsn, "drop database if exists bench with (force)")
    run_sql(stores.postgres_admin_dsn, "create database bench")
    admin = _url(stores.postgres_admin_dsn)
    environment = {
        **keys.service_environment(SERVICE),
        "DATABASE_ADMIN_URL": admin,
        "NATS_URL": stores.nats_url,
        "POOL_MAX": "16",
        **{
            name: _url(stores.postgres_admin_dsn, f"{SERVICE}_{role}", keys.role_password(SERVICE, role))
            for name, role in (("DATABASE_URL", "app"), ("DATABASE_SYSTEM_URL", "system"))
        },
    }
    with tempfile.TemporaryDirectory() as empty:
        await migrate(load(ServiceSettings, environment), SERVICE, Path(empty))
    return Stage(stores, environment, admin)


def _url(dsn: str, user: str | None = None, password: str | None = None) -> str:
    parts = urlsplit(dsn)
    login = f"{user or parts.username}:{password or parts.password}"
    return urlunsplit((parts.scheme, f"{login}@{parts.hostname}:{parts.port}", "/bench", "", ""))

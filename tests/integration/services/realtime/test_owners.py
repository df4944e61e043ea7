"""Owners who registered before realtime kept them: the migration finds them in the event log of every organization."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import asyncpg

from libs.config import load
from libs.postgres import Database
from libs.postgres.migrate import migrate
from local.stores import Stores, run_sql
from services.realtime.__main__ import MIGRATIONS
from services.realtime.config import RealtimeSettings
from services.realtime.storage import owners
from tests.integration.services.realtime.driving import Environment

EARLIER = [
    ("org_a", "evt_1", "user.created", {"userId": "usr_1", "email": "ada@example.com", "role": "owner"}),
    ("org_a", "evt_2", "user.created", {"userId": "usr_2", "email": "bob@example.com", "role": "member"}),
    ("org_a", "evt_3", "user.created", {"userId": "usr_1", "email": "ada@example.com", "role": "owner"}),
    ("org_a", "evt_4", "user.created", {"userId": "usr_3", "role": "owner"}),
    ("org_a", "evt_5", "agent.created", {"userId": "usr_4", "email": "eve@example.com", "role": "owner"}),
    ("org_b", "evt_6", "user.created", {"userId": "usr_5", "email": "cy@example.com", "role": "owner"}),
]


async def test_the_migration_remembers_earlier_owners_and_leaves_the_log_fenced(
    stores: Stores, service_environment: Environment, tmp_path: Path
) -> None:
    name = "realtime_earlier"
    run_sql(stores.postgres_admin_dsn, f'create database "{name}"')
    settings = load(RealtimeSettings, service_environment("realtime", name))
    for number in ("0001", "0002"):
        shutil.copy(next(MIGRATIONS.glob(f"{number}_*")), tmp_path)
    await migrate(settings, "realtime", tmp_path)
    await log_earlier(settings)
    assert len(await migrate(settings, "realtime", MIGRATIONS)) == len(list(MIGRATIONS.glob("*.sql"))) - 2
    database = await Database.open(settings, application_name="test-realtime")
    try:
        assert await owners.addresses(database, "org_a") == {"usr_1": "ada@example.com"}
        assert await owners.addresses(database, "org_b") == {"usr_5": "cy@example.com"}
        assert await owners.addresses(database, "org_c") == {}
        async with database.transaction("org_b") as connection:
            seen = await connection.fetch("select id from event")
        assert [row["id"] for row in seen] == ["evt_6"]
        fenced = "select relforcerowsecurity from pg_class where oid = 'realtime.event'::regclass"
        assert await database.system_fetchval(fenced) is True
    finally:
        await database.close()
        run_sql(stores.postgres_admin_dsn, f'drop database "{name}" with (force)')


async def log_earlier(settings: RealtimeSettings) -> None:
    """Events as the release before logged them; as the administrator, whom no row security stops."""
    admin = await asyncpg.connect(settings.database_admin_url)
    try:
        await admin.executemany(
            "insert into realtime.event (org_id, id, type, subject, occurred_at, envelope)"
            " values ($1, $2, $3, 'x', now(), $4)",
            [(org, event, topic, json.dumps({"data": data})) for org, event, topic, data in EARLIER],
        )
    finally:
        await admin.close()

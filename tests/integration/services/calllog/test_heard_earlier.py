"""Words that the local model heard before they were searched: the migration indexes those of every organization."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg

from libs.config import ServiceSettings, load
from libs.postgres import Database
from libs.postgres.migrate import migrate
from local.stores import Stores, run_sql
from services.calllog.__main__ import MIGRATIONS

# Organization, the provider's words, what was heard.
EARLIER = [("org_a", "", "a table for four"), ("org_b", "Hello.", "a table for five"), ("org_c", "", None)]
_CALL = """
insert into calllog.call (org_id, id, provider, external_call_id, external_agent_id, agent_version, status,
    completeness, direction, from_number, to_number, title, summary, language, termination_reason, turn_count, billable,
    version, created_at, updated_at)
values ($1, 'call_' || $1, 'vapi', 'x', '', 0, 'completed', 1, '', '', '', 'Dinner', '', '', '', 1, false, 1, now(),
    now())"""
_TURN = """
insert into calllog.call_turn (org_id, call_id, index, role, text, time_seconds, tool_calls)
values ($1, 'call_' || $1, 0, 'user', $2, 0, '[]')"""
_SEARCH = """
insert into calllog.call_search (org_id, call_id, document)
values ($1, 'call_' || $1, calllog.search_document('Dinner', '', $2))"""
_RECORDING = """
insert into calllog.recording (org_id, id, provider, external_call_id, status, media_type, byte_size, blob_key,
    transcription, created_at, updated_at)
values ($1, 'rec_1', 'vapi', 'x', 'available', '', 1, '', $2, now(), now())"""


async def test_the_migration_indexes_what_was_heard_earlier(
    stores: Stores, service_environment: Callable[[str, str], dict[str, str]], tmp_path: Path
) -> None:
    name = "calllog_earlier"
    run_sql(stores.postgres_admin_dsn, f'create database "{name}"')
    settings = load(ServiceSettings, service_environment("calllog", name))
    for number in ("0001", "0002", "0003"):
        shutil.copy(next(MIGRATIONS.glob(f"{number}_*")), tmp_path)
    await migrate(settings, "calllog", tmp_path)
    await write_earlier(settings)
    assert await migrate(settings, "calllog", MIGRATIONS)
    database = await Database.open(settings, application_name="test-calllog")
    try:
        found = {org: [await matching(database, org, word) for word in ("table", "hello", "dinner")] for org in ORGS}
        statuses = await database.system_fetch("select r.org_id, r.transcription_status from recording r")
    finally:
        await database.close()
        run_sql(stores.postgres_admin_dsn, f'drop database "{name}" with (force)')
    assert found == {"org_a": [1, 0, 1], "org_b": [0, 1, 1], "org_c": [0, 0, 1]}
    assert {row["org_id"]: row["transcription_status"] for row in statuses} == {
        "org_a": "done", "org_b": "done", "org_c": "",
    }  # fmt: skip


ORGS = [org for org, _, _ in EARLIER]


async def matching(database: Database, org: str, word: str) -> int:
    async with database.transaction(org) as conn:
        return int(await conn.fetchval("select count(*) from calls_matching($1, 10)", word))


async def write_earlier(settings: ServiceSettings) -> None:
    """As the release before wrote it; by the administrator, whom no row security stops."""
    admin = await asyncpg.connect(settings.database_admin_url)
    try:
        for org, told, heard in EARLIER:
            await admin.execute(_CALL, org)
            await admin.execute(_TURN, org, told)
            await admin.execute(_SEARCH, org, told)
            await admin.execute(_RECORDING, org, heard)
    finally:
        await admin.close()

"""What is past its time goes, and nothing else."""

from datetime import timedelta

import pytest

from libs.events.inbox import claim, dead_letter, note_failure
from libs.postgres import Database
from libs.postgres.retention import sweep

OLD = timedelta(days=40)


@pytest.fixture
async def rows(db: Database) -> None:
    """In each table one row of long ago and one of now; in the outbox also an old one that no stream has yet."""
    async with db.system_transaction() as conn:
        for name, published in (("old", "now() - interval '40 d'"), ("new", "now()"), ("waiting", "null")):
            await conn.execute(
                "insert into outbox (event_id, org_id, topic, key, payload, created_at, published_at) "
                f"values ($1, 'org_a', 'agent.updated', 'k', '{{}}', now() - interval '40 d', {published})",
                name,
            )
        for name in ("old", "new"):
            await claim(conn, "c", name)
            await note_failure(conn, "c", f"{name}-retried", "x")
            await dead_letter(conn, "c", name, "org_a", "agent.updated", "{}", "x", "unexpected_error")
            await conn.execute(
                "insert into idempotency (org_id, key, fingerprint, expires_at) values ('org_a', $1, '', now() + $2)",
                name,
                -OLD if name == "old" else OLD,
            )
        await conn.execute("update inbox set handled_at = now() - $1::interval where event_id = 'old'", OLD)
        await conn.execute(
            "update inbox_retry set updated_at = now() - $1::interval where event_id = 'old-retried'", OLD
        )
        await conn.execute("update inbox_dead set died_at = now() - $1::interval where event_id = 'old'", OLD)


async def test_only_old_rows_go_and_unpublished_events_never(db: Database, rows: None) -> None:
    columns = {
        "outbox": ("event_id", {"new", "waiting"}),
        "inbox": ("event_id", {"new"}),
        "inbox_retry": ("event_id", {"new-retried"}),
        "inbox_dead": ("event_id", {"new"}),
        "idempotency": ("key", {"new"}),
    }
    for table, (column, kept) in columns.items():
        async with db.system_transaction() as conn:
            assert await sweep(conn, table) == 1, table
        found = await db.system_fetch(f"select {column} as name from {table}")
        assert {row["name"] for row in found} == kept, table

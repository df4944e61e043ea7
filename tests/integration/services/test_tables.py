"""The policy of quotas and retention names exactly the tables that hold something of an organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from libs.errors import FailedPrecondition
from libs.postgres import Database
from libs.postgres.quotas import Quotas
from suite.services import SERVICES
from suite.tables import EACH, FOREVER, QUOTAS, TABLES, Quota, kept

MIGRATIONS = Path(__file__).resolve().parents[3] / "services"
OWNED = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
where n.nspname not in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'p')"""

Create = Callable[..., Awaitable[Database]]


async def owned(database: Database) -> set[str]:
    return {row["relname"] for row in await database.system_fetch(OWNED)}


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_an_organization_has_a_line_and_every_line_a_table(
    service_database: Create, service: str
) -> None:
    named = {table.name for table in TABLES if table.service in (service, EACH)}
    assert await owned(await service_database(service)) == named


async def test_a_table_without_a_line_is_found(service_database: Create, tmp_path: Path) -> None:
    for file in (MIGRATIONS / "agent" / "storage" / "migrations").glob("*.sql"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (tmp_path / "0099_add_forgotten_table.sql").write_text("create table forgotten (org_id text not null);", "utf-8")
    found = await owned(await service_database("agent", tmp_path))
    assert found - {table.name for table in TABLES if table.service in ("agent", EACH)} == {"forgotten"}


def test_every_table_has_a_bound_and_a_retention() -> None:
    for table in TABLES:
        assert table.quotas or table.bound, table.name
        assert isinstance(table.kept, timedelta) == bool(table.since), table.name
        assert table.kept, table.name
    names = [quota.name for table in TABLES for quota in table.quotas]
    assert len(names) == len(set(names))
    assert kept("calllog", "envelope") == timedelta(days=30)
    assert {table.kept for table in TABLES if table.name == "call"} == {FOREVER}


@pytest.mark.parametrize("service", SERVICES)
async def test_each_quota_counts_in_its_schema_and_refuses_by_name(service_database: Create, service: str) -> None:
    """Every rule's SQL runs as the tenant's role, and a limit of 0 refuses the first."""
    database, rules = await service_database(service), QUOTAS[service]
    quotas = Quotas(rules, {rule.name: 0 for rule in rules})
    for rule in rules:
        with pytest.raises(FailedPrecondition, match="quota_reached") as refusal:
            await _add_one(database, quotas, rule)
        assert refusal.value.metadata == {"quota": rule.name, "limit": "0"}
    async with database.transaction("org_1") as conn:
        assert {(use.name, use.used) for use in await quotas.used(conn, "org_1")} == {(rule.name, 0) for rule in rules}


async def _add_one(database: Database, quotas: Quotas, rule: Quota) -> None:
    async with database.transaction("org_1") as conn:
        if rule.daily:
            await quotas.spend(conn, "org_1", rule.name)
        else:
            await quotas.admit(conn, "org_1", rule.name, within="agt_1" if rule.per else "")

"""What the audit log sees of a row: no secret of any type, and no value that makes the write fail."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from libs.postgres import Database

SECRETS = ("password", "apiKey", "api_keys", "clientSecret", "tokens", "Authorization", "token_hash", "X-Api-Key",
           "cookie", "private_key", "credentials", "passphrase", 'say "token": ')  # fmt: skip
PLAIN = ("a", "name", "maxTokens", "llm_max_tokens", "tokenId", "api_key_id", "secret_rotated_at", "")
TEXTS = ("", "x", 'say "token": ', '\\"password": "', "[1,2", "{", "ü\n\t", "\u2028", "'", "null", '"secret": "')
# A number of documents that reaches every pair of type and depth in a second.
DOCUMENTS = 1_500


def document(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(9 if depth else 6)
    if kind < 6:
        return (chance.choice(TEXTS), chance.randrange(10**6), -0.5, True, False, None)[kind]
    if kind == 6:
        return [document(chance, depth - 1) for _ in range(chance.randrange(4))]
    found = {chance.choice(PLAIN): document(chance, depth - 1) for _ in range(chance.randrange(4))}
    found |= {chance.choice(SECRETS): document(chance, depth - 1) for _ in range(chance.randrange(2))}
    return found


def hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "(hidden)" if key in SECRETS and inner is not None else hidden(inner)
                for key, inner in value.items()}  # fmt: skip
    return [hidden(inner) for inner in value] if isinstance(value, list) else value


Create = Callable[..., Awaitable[Database]]


async def test_every_value_of_a_secret_name_is_hidden_and_every_other_one_is_shown(db: Database) -> None:
    chance = random.Random(8)
    documents = [{"column": document(chance, 4)} for _ in range(DOCUMENTS)]
    rows = await db.system_fetch(
        "select jsonb_object_agg(c.key, audit_column(c.key, c.value, '{}'))::text as shown "
        "from unnest($1::text[]) with ordinality d(v, n), jsonb_each(d.v::jsonb) c group by d.n order by d.n",
        [json.dumps(one) for one in documents],
    )
    assert [json.loads(row["shown"]) for row in rows] == [hidden(one) for one in documents]
    assert json.dumps(documents).count('"password"') > DOCUMENTS // 100


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def documents(service_database: Create, tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = tmp_path_factory.mktemp("documents")
    table = "create table document (org_id text not null, id text not null, body jsonb, note text);"
    (folder / "0001_create_documents.sql").write_text(table + "select enable_tenant_rls('document');", "utf-8")
    return await service_database("thing", folder)


async def change_of(database: Database, body: str) -> dict[str, Any]:
    """What the log sees of a row with this JSON, written as a user's write."""
    async with database.transaction("org_1") as conn:
        await conn.execute("set local app.audited = 'on'")
        await conn.execute("insert into document (org_id, id, body) values ('org_1', 'd', $1)", body)
        [change] = json.loads("[" + await conn.fetchval("select current_setting('app.audit_changes')") + "]")
    found: dict[str, Any] = change
    return found


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"a": "say \\"token\\": ", "b": "x"}', {"a": 'say "token": ', "b": "x"}),
        ('{"password": 123456, "tokens": ["sk-1"]}', {"password": "(hidden)", "tokens": "(hidden)"}),
        ('{"secret": {"a": 1}, "token": null, "apiKey": true}',
         {"secret": "(hidden)", "token": None, "apiKey": "(hidden)"}),
        ("[" * 7000 + "]" * 7000, "(long)"),
    ],
)  # fmt: skip
async def test_no_json_of_a_user_refuses_the_write(documents: Database, body: str, shown: Any) -> None:
    change = await change_of(documents, body)
    assert change["org"] == "org_1"
    assert change["after"]["body"] == shown


async def test_json_of_many_levels_is_cut_and_not_refused(documents: Database) -> None:
    for brackets, inner in (("[", "]"), ('{"a":', "}")):
        levels = 900
        closed = brackets * levels + "1" + inner * levels
        change = await change_of(documents, closed)
        assert "(deep)" in json.dumps(change["after"]["body"])

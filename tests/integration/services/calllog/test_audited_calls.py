"""A deleted call leaves nothing of what was said in the audit log, and no phone number."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from libs.postgres import Connection, Database

WORDS = "the caller's address is 1 Main Street"
NUMBER = "+15005550006"
CALL = """
insert into call (org_id, id, provider, external_call_id, external_agent_id, agent_version, status, completeness,
    direction, from_number, to_number, title, summary, language, termination_reason, turn_count, billable, version,
    created_at, updated_at)
values ('org_1', 'call_1', 'vapi', 'x', 'a', 1, 'completed', 1, 'inbound', $1, $1, $2, $2, 'en', '', 1, true, 1,
    now(), now())"""
PARTS = (
    "insert into call_turn (org_id, call_id, index, role, text, time_seconds, tool_calls) "
    "values ('org_1', 'call_1', 0, 'user', $2, 0, jsonb_build_array($1::text))",
    "insert into call_facet (org_id, kind, value, call_id) values ('org_1', 'number', $1 || left($2, 0), 'call_1')",
    "insert into call_search (org_id, call_id, document) values ('org_1', 'call_1', to_tsvector($1 || ' ' || $2))",
    "insert into recording (org_id, id, provider, external_call_id, status, media_type, byte_size, blob_key, "
    "transcription, transcription_segments, created_at, updated_at) values ('org_1', 'rec_1', 'vapi', 'x', "
    "'available', 'audio/wav', 1, 'k', $1 || $2, jsonb_build_array($2::text), now(), now())",
    "insert into call_command (org_id, id, call_id, agent_id, type, target, context, reason, detail, created_at, "
    "expires_at) values ('org_1', 'cmd_1', 'call_1', 'agt_1', 'transfer', $1, $2, $2, $2, now(), now())",
)


async def changes(conn: Connection) -> list[dict[str, Any]]:
    return json.loads("[" + await conn.fetchval("select current_setting('app.audit_changes')") + "]")  # type: ignore[no-any-return]


async def test_neither_a_written_nor_a_deleted_call_shows_words_or_numbers(
    service_database: Callable[..., Awaitable[Database]],
) -> None:
    database = await service_database("calllog")
    async with database.system_transaction("org_1") as conn:
        await conn.execute("set local app.audited = 'on'")
        await conn.execute(CALL, NUMBER, WORDS)
        for part in PARTS:
            await conn.execute(part, NUMBER, WORDS)
        await conn.execute("update call set summary = $1 || '!' where org_id = 'org_1'", WORDS)
        await conn.execute("delete from recording where org_id = 'org_1'")
        await conn.execute("delete from call where org_id = 'org_1'")
        found = await changes(conn)
    deleted = {change["table"]: change["before"] for change in found if change["operation"] == "delete"}
    assert deleted.keys() == {"call", "call_turn", "call_facet", "call_search", "recording", "call_command"}
    assert (deleted["call"]["summary"], deleted["call"]["from_number"]) == ("(hidden)", "(hidden)")
    assert (deleted["call"]["status"], deleted["call"]["provider"]) == ("completed", "vapi")
    text = json.dumps(found)
    for told in ("Main", "street", NUMBER, NUMBER[1:]):
        assert told not in text, found

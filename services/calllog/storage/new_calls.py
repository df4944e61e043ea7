"""Calls of several conversations in one write: what is known of each, and the rows of those that are new.

Callers hold the conversations, so that of two transactions on one conversation the second sees what the first wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.languages import detect
from libs.postgres import Connection
from providers.interface.reports import ReportedCall
from services.calllog.domain.calls import Call, ServedBy
from services.calllog.storage.calls import COLUMNS, FACTS, MAX_INDEXED, call_from_row, facts_of, turn_columns

# Provider and the provider's id of the call.
Conversation = tuple[str, str]

# In one order, so that two transactions with the same conversations wait for each other instead of deadlocking.
_HOLD = "select pg_advisory_xact_lock(hashtextextended(w.name, 0)) from unnest($1::text[]) as w(name)"
# Locked in the order of ids, as the writers of costs do. Recordings are looked up by their key: a plan made while the
# table was empty would join with all of the organization.
_LOCK = f"""
with wanted as (
    select w.provider, w.external_call_id from unnest($2::text[], $3::text[]) as w(provider, external_call_id)
), held as (
    select {COLUMNS} from wanted w
    join call c on c.org_id = $1 and c.provider = w.provider and c.external_call_id = w.external_call_id
    order by c.id for update of c
)
select w.provider as wanted_provider, w.external_call_id as wanted_id, r.status as recording_status,
    {COLUMNS.replace("c.", "h.")}
from wanted w
left join held h on h.provider = w.provider and h.external_call_id = w.external_call_id
left join lateral (
    select f.status from recording f
    where f.org_id = $1 and f.provider = w.provider and f.external_call_id = w.external_call_id offset 0
) r on true"""
# The foreign keys of turns, facets and words are checked at the end of the statement, when the calls are there. Words
# of a recording are not looked for: `indexed` is false where there is one.
_ADD = f"""
with given as (
    select g.id, g.provider, g.external_call_id, g.external_agent_id, g.agent_id, g.agent_version, g.status,
        g.completeness, g.direction, g.from_number, g.to_number, g.successful, g.duration_seconds,
        g.started_at, g.ended_at, g.title, g.summary, g.language, g.termination_reason,
        g.provider_cost_units, g.turn_count, g.billable, g.words, g.detected, g.indexed
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[],
        $10::int[], $11::text[], $12::text[], $13::text[], $14::bool[], $15::float8[], $16::timestamptz[],
        $17::timestamptz[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[], $23::int[],
        $24::bool[], $25::text[], $26::text[], $27::bool[])
        as g(id, provider, external_call_id, external_agent_id, agent_id, agent_version, status, completeness,
            direction, from_number, to_number, successful, duration_seconds, started_at, ended_at, title, summary,
            language, termination_reason, provider_cost_units, turn_count, billable, words, detected, indexed)
), added as (
    insert into call (org_id, id, {FACTS}, version, created_at)
    select $1, g.id, g.provider, g.external_call_id, g.external_agent_id, g.agent_id, g.agent_version, g.status,
        g.completeness, g.direction, g.from_number, g.to_number, g.successful, g.duration_seconds, g.started_at,
        g.ended_at, g.title, g.summary, g.language, g.termination_reason, g.provider_cost_units, g.turn_count,
        g.billable, $2, 1, $2
    from given g
), told as (
    insert into call_turn (org_id, call_id, index, role, text, time_seconds, tool_calls)
    select $1, t.call_id, t.index, t.role, t.text, t.time_seconds, t.tool_calls::jsonb
    from unnest($28::text[], $29::int[], $30::text[], $31::text[], $32::float8[], $33::text[])
        as t(call_id, index, role, text, time_seconds, tool_calls)
), found_by as (
    insert into call_facet (org_id, kind, value, call_id)
    select $1, 'number', f.value, f.call_id from unnest($34::text[], $35::text[]) as f(call_id, value)
)
insert into call_search (org_id, call_id, dictionary, document)
select $1, g.id, spoken.dictionary, search_document(g.title, left(g.summary, {MAX_INDEXED}),
    left(g.words, {MAX_INDEXED}), spoken.dictionary)
from given g
cross join lateral (
    select text_dictionary(coalesce(nullif(g.language, ''), g.detected)) as dictionary offset 0
) spoken
where g.indexed"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a conversation: its call, without turns, and the status of its recording, empty without one."""

    call: Call | None
    recording_status: str


@dataclass(frozen=True, slots=True)
class NewCall:
    """The first report of a call. With `has_recording` its words are indexed by Calls.index_words."""

    id: str
    report: ReportedCall
    served_by: ServedBy
    has_recording: bool


async def hold(conn: Connection, org_id: str, conversations: Sequence[Conversation]) -> None:
    """Hold these conversations until the transaction ends, whether their calls are there yet or not."""
    await conn.execute(_HOLD, [f"conversation:{org_id}:{provider}:{name}" for provider, name in sorted(conversations)])


async def lock(conn: Connection, org_id: str, conversations: Sequence[Conversation]) -> dict[Conversation, Known]:
    """What is known of each conversation that is held; their calls are locked."""
    providers, names = [provider for provider, _ in conversations], [name for _, name in conversations]
    rows = await conn.fetch(_LOCK, org_id, providers, names)
    return {
        (row["wanted_provider"], row["wanted_id"]): Known(
            call_from_row(row) if row["id"] is not None else None, row["recording_status"] or ""
        )
        for row in rows
    }


async def add(conn: Connection, org_id: str, calls: Sequence[NewCall], now: datetime) -> None:
    """Write calls of conversations that have none, with their turns, numbers and words, in one statement."""
    rows = [(call.id, *facts_of(call.report, call.served_by), *_words(call)) for call in calls]
    turns = [(call.id, *turn) for call in calls for turn in zip(*turn_columns(call.report.turns), strict=True)]
    numbers = [(call.id, number) for call in calls for number in call.report.numbers]
    await conn.execute(_ADD, org_id, now, *_columns(rows, 25), *_columns(turns, 6), *_columns(numbers, 2))


def _words(call: NewCall) -> tuple[str, str, bool]:
    words = " ".join(turn.text for turn in call.report.turns if turn.text)
    return words, "" if call.report.language else detect(words), not call.has_recording


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]

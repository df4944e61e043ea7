"""Calls with their turns, facets and search documents: one write for a report, reads for detail and billing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.errors import FailedPrecondition, NotFound
from libs.languages import detect
from libs.postgres import Connection, Database, Record
from providers.interface.envelopes import ENDED_COMPLETENESS
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker, Turn
from services.calllog.domain.calls import BillableCall, Call, Cost, ServedBy, is_billable

# Of the columns of a call those that lists show; a transcript is never among them.
COLUMNS = """c.id, c.org_id, c.provider, c.external_call_id, c.external_agent_id, c.agent_id, c.agent_version, c.status,
    c.completeness, c.direction, c.from_number, c.to_number, c.successful, c.duration_seconds, c.started_at, c.ended_at,
    c.title, c.summary, c.language, c.termination_reason, c.provider_cost_units, c.turn_count, c.cost_micros,
    c.cost_currency, c.tags, c.version, c.created_at, c.updated_at"""
_NAMES = tuple(part.strip().removeprefix("c.") for part in COLUMNS.split(","))
_GET = f"select {COLUMNS} from call c where c.org_id = $1 and c.id = $2"
_GET_FENCED = f"select {COLUMNS} from call c where c.org_id = o.org and c.id = $2"
_HOLD = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_LOCK = f"""select {COLUMNS} from call c
where c.org_id = $1 and c.provider = $2 and c.external_call_id = $3 for update"""
_TURNS = """select t.index, t.role, t.text, t.time_seconds, t.tool_calls from call_turn t
where t.org_id = o.org and t.call_id = $2 order by t.index"""
_TURNS_HELD = _TURNS.replace("o.org", "$1")
FACTS = """provider, external_call_id, external_agent_id, agent_id, agent_version, status, completeness, direction,
    from_number, to_number, successful, duration_seconds, started_at, ended_at, title, summary, language,
    termination_reason, provider_cost_units, turn_count, billable, updated_at"""
_UPDATE = f"""
update call set ({FACTS}, version) = ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    $20, $21, $22, $23, $24, version + 1)
where org_id = $1 and id = $2"""
_CLEAR_TURNS = "delete from call_turn where org_id = $1 and call_id = $2"
ADD_TURNS = """
insert into call_turn (org_id, call_id, index, role, text, time_seconds, tool_calls)
select $1, $2, t.index, t.role, t.text, t.time_seconds, t.tool_calls::jsonb
from unnest($3::int[], $4::text[], $5::text[], $6::float8[], $7::text[]) as t(index, role, text, time_seconds,
    tool_calls)"""
_CLEAR_FACETS = "delete from call_facet where org_id = $1 and call_id = $2 and kind = $3"
_ADD_FACETS = """
insert into call_facet (org_id, kind, value, call_id) select $1, $3, v, $2 from unnest($4::text[]) v
on conflict do nothing"""
# A tsvector holds at most 1 MB; two readings of the transcript must fit.
MAX_INDEXED = 200_000
# Of what is kept by now: the words of the turns, or where the provider gave none, those heard in the recording.
_INDEX_WORDS = f"""
insert into call_search (org_id, call_id, dictionary, document)
select c.org_id, c.id, spoken.dictionary, search_document(c.title, left(c.summary, {MAX_INDEXED}),
    left(coalesce(told.words, r.transcription, ''), {MAX_INDEXED}), spoken.dictionary)
from call c
left join recording r on r.org_id = c.org_id and r.provider = c.provider and r.external_call_id = c.external_call_id
cross join lateral (select string_agg(t.text, ' ' order by t.index) as words from call_turn t
    where t.org_id = c.org_id and t.call_id = c.id and t.text <> '') told
cross join lateral (select text_dictionary(
    coalesce(nullif(c.language, ''), nullif(r.transcription_language, ''), $3)) as dictionary) spoken
where c.org_id = $1 and c.id = $2
on conflict (org_id, call_id) do update set (dictionary, document) = (excluded.dictionary, excluded.document)"""
_TOUCH = f"""
update call c set version = c.version + 1, updated_at = $4
where c.org_id = $1 and c.provider = $2 and c.external_call_id = $3
returning {COLUMNS}"""
_SET_TAGS = """
update call set tags = $3, version = version + 1, updated_at = $4 where org_id = $1 and id = $2"""
# Locked in the order of ids, so that two batches with the same calls wait for each other instead of deadlocking. Ids
# are also compared as an array: a plan made while the table was empty would join with all calls of the organization.
_SET_COSTS = """
with rated as (
    select c.id, r.micros, r.currency
    from unnest($2::text[], $3::bigint[], $4::text[]) as r(id, micros, currency)
    join call c on c.org_id = $1 and c.id = r.id and c.id = any($2::text[])
    where c.cost_micros is distinct from r.micros
    order by c.id for update of c
)
update call set cost_micros = rated.micros, cost_currency = rated.currency, version = version + 1, updated_at = $5
from rated where call.org_id = $1 and call.id = rated.id and call.id = any($2::text[])
returning call.id"""
_BILLABLE = """
select c.id, c.duration_seconds, c.ended_at from call c
where c.org_id = $1 and c.billable and c.ended_at >= $2 and c.ended_at < $3 and c.id > $4
order by c.id limit $5"""
_KNOWN = """
select k.id from unnest($2::text[]) as k(id)
join call c on c.org_id = o.org and c.provider = $3 and c.external_call_id = k.id and c.status <> 'in_progress'
    and c.completeness >= $4"""


class Calls:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, org_id: str, call_id: str) -> Call:
        """The call with its turns, without its recording; NotFound("call_not_found")."""
        call = await self.head(org_id, call_id)
        turns = await self._db.fetch(org_id, _TURNS, call_id) if call.turn_count else []
        return replace(call, turns=[turn_from_row(turn) for turn in turns])

    async def head(self, org_id: str, call_id: str) -> Call:
        """The call without turns and recording; NotFound("call_not_found")."""
        row = await self._db.fetchrow(org_id, _GET_FENCED, call_id)
        if row is None:
            raise call_not_found()
        return call_from_row(row)

    async def turns(self, conn: Connection, org_id: str, call_id: str) -> list[Turn]:
        return [turn_from_row(turn) for turn in await conn.fetch(_TURNS_HELD, org_id, call_id)]

    async def lock(self, conn: Connection, org_id: str, provider: str, external_call_id: str) -> Call | None:
        """The call of a conversation, without turns. The conversation is held until the transaction ends, whether its
        call is there yet or not: of two transactions on one conversation the second sees what the first wrote."""
        await conn.execute(_HOLD, f"conversation:{org_id}:{provider}:{external_call_id}")
        row = await conn.fetchrow(_LOCK, org_id, provider, external_call_id)
        return call_from_row(row) if row else None

    async def touch(
        self, conn: Connection, org_id: str, provider: str, external_call_id: str, now: datetime
    ) -> Call | None:
        """A next version of the call, for what is shown with it and stored elsewhere: its recording. None when there
        is no such call. Touch before writing the recording: reports lock in this order too."""
        row = await conn.fetchrow(_TOUCH, org_id, provider, external_call_id, now)
        return call_from_row(row) if row else None

    async def update(
        self, conn: Connection, org_id: str, call_id: str, report: ReportedCall, agent: ServedBy,
        now: datetime,
    ) -> None:  # fmt: skip
        """Replace a call's facts by a fuller report's."""
        await conn.execute(_UPDATE, org_id, call_id, *facts_of(report, agent), now)
        await conn.execute(_CLEAR_TURNS, org_id, call_id)
        await conn.execute(_CLEAR_FACETS, org_id, call_id, "number")
        await self._write_parts(conn, org_id, call_id, report)

    async def lock_by_id(self, conn: Connection, org_id: str, call_id: str) -> Call:
        """The call without turns, held until the transaction ends; NotFound("call_not_found")."""
        row = await conn.fetchrow(_GET + " for update", org_id, call_id)
        if row is None:
            raise call_not_found()
        return call_from_row(row)

    async def save_tags(self, conn: Connection, call: Call, now: datetime) -> Call:
        """Write the tags of a call that is held; the answer is its next version."""
        await conn.execute(_SET_TAGS, call.org_id, call.id, list(call.tags), now)
        await conn.execute(_CLEAR_FACETS, call.org_id, call.id, "tag")
        await conn.execute(_ADD_FACETS, call.org_id, call.id, "tag", list(call.tags))
        return replace(call, version=call.version + 1, updated_at=now)

    async def set_costs(self, conn: Connection, org_id: str, costs: Mapping[str, Cost], now: datetime) -> list[str]:
        """Write the costs of calls by id; the ids of those that changed."""
        micros, currencies = [cost.micros for cost in costs.values()], [cost.currency for cost in costs.values()]
        rows = await conn.fetch(_SET_COSTS, org_id, list(costs), micros, currencies, now)
        return [row["id"] for row in rows]

    async def billable(
        self, conn: Connection, org_id: str, start: datetime, end: datetime, after_id: str, limit: int
    ) -> list[BillableCall]:
        """Billable calls that ended in the half-open window, by id."""
        rows = await conn.fetch(_BILLABLE, org_id, start, end, after_id, limit)
        return [BillableCall(row["id"], row["duration_seconds"], row["ended_at"]) for row in rows]

    async def reported_among(self, org_id: str, provider: str, external_ids: Sequence[str]) -> set[str]:
        """Which of these conversations are calls whose end the provider itself has reported."""
        rows = await self._db.fetch(org_id, _KNOWN, list(external_ids), provider, ENDED_COMPLETENESS)
        return {row["id"] for row in rows}

    async def index_words(self, conn: Connection, org_id: str, call_id: str, detected: str = "") -> None:
        """Make the call's search document from the stored words: those of a report, or those of the transcription.
        `detected` is the language where neither the provider nor the transcription names one."""
        await conn.execute(_INDEX_WORDS, org_id, call_id, detected)

    async def _write_parts(self, conn: Connection, org_id: str, call_id: str, report: ReportedCall) -> None:
        turns = report.turns
        if turns:
            await conn.execute(ADD_TURNS, org_id, call_id, *turn_columns(turns))
        if report.numbers:
            await conn.execute(_ADD_FACETS, org_id, call_id, "number", report.numbers)
        detected = "" if report.language else detect(" ".join(turn.text for turn in turns))
        await self.index_words(conn, org_id, call_id, detected)


def check_call_version(call: Call, expected: int | None) -> None:
    if expected is not None and call.version != expected:
        raise FailedPrecondition("stale_version", "The call has changed since. Read it again, then change it.")


def call_not_found() -> NotFound:
    return NotFound("call_not_found", "No such call.")


def call_from_row(row: Record) -> Call:
    values: dict[str, Any] = {name: row[name] for name in _NAMES}
    micros, currency = values.pop("cost_micros"), values.pop("cost_currency")
    values["cost"] = None if micros is None else Cost(micros, currency)
    values["status"] = CallStatus(values["status"])
    values["direction"] = Direction(values["direction"])
    values["tags"] = tuple(values["tags"])
    return Call(**values)


def turn_from_row(row: Record) -> Turn:
    calls = tuple(json.loads(row["tool_calls"]))
    return Turn(row["index"], Speaker(row["role"]), row["text"], row["time_seconds"], calls)


def facts_of(report: ReportedCall, agent: ServedBy) -> tuple[Any, ...]:
    """The values of FACTS but the last."""
    return (
        report.provider, report.external_call_id, report.external_agent_id, agent.agent_id, agent.version,
        report.status, report.completeness, report.direction, report.from_number, report.to_number, report.successful,
        report.duration_seconds, report.started_at, report.ended_at, report.title, report.summary, report.language,
        report.termination_reason, report.provider_cost_units, len(report.turns),
        is_billable(report.status, report.duration_seconds),
    )  # fmt: skip


def turn_columns(turns: Sequence[Turn]) -> tuple[list[Any], ...]:
    return (
        [turn.index for turn in turns],
        [turn.role.value for turn in turns],
        [turn.text for turn in turns],
        [turn.time_seconds for turn in turns],
        [json.dumps(turn.tool_calls) for turn in turns],
    )

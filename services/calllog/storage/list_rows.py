"""A call in a list as the API shows it: its columns and its JSON. Never its transcript."""

from __future__ import annotations

from libs.json_rows import JsonMoney, JsonRow, micros_to_json, time_text
from libs.postgres import Record

CALL_ROW = """c.id, c.agent_id, c.agent_version, c.external_call_id, c.external_agent_id, c.provider, c.status,
    c.direction, c.from_number, c.to_number, c.duration_seconds, c.started_at, c.ended_at, c.cost_micros,
    c.cost_currency, c.provider_cost_units, c.title, c.summary, c.successful, c.termination_reason, c.language,
    c.turn_count, c.tags, c.version, c.created_at, c.updated_at"""


class CallRow(JsonRow):
    id: str
    agent_id: str | None
    agent_version: int | None
    external_call_id: str | None
    external_agent_id: str | None
    provider: str | None
    status: str
    direction: str
    from_number: str | None
    to_number: str | None
    duration_seconds: float | None
    started_at: str | None
    ended_at: str | None
    cost: JsonMoney | None
    provider_cost_units: int | None
    title: str | None
    summary: str | None
    successful: bool | None
    termination_reason: str | None
    language: str | None
    turn_count: int
    tags: list[str]
    version: int
    created_at: str | None
    updated_at: str | None


def call_row(row: Record) -> CallRow:
    """From a record of CALL_ROW, by position."""
    (
        id_, agent_id, agent_version, external_id, external_agent_id, provider, status, direction, from_number,
        to_number, seconds, started_at, ended_at, micros, currency, units, title, summary, successful, reason, language,
        turns, tags, version, created_at, updated_at, *_,
    ) = row[:]  # fmt: skip
    return CallRow(
        id_, agent_id or None, agent_version or None, external_id or None, external_agent_id or None, provider or None,
        status, direction, from_number or None, to_number or None, seconds, time_text(started_at), time_text(ended_at),
        None if micros is None else JsonMoney(micros_to_json(micros), currency), units, title or None, summary or None,
        successful, reason or None, language or None, turns, tags, version, time_text(created_at),
        time_text(updated_at),
    )  # fmt: skip

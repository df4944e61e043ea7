"""Rows that services make in JSON are the gateway's schemas: their fields, their order, and what the messages say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import msgspec
import pytest

from echosenseix.jobs.v1 import jobs_pb2
from gateway.schemas.agents import AgentRow, agent_row_from_proto
from gateway.schemas.calls import CallRow, call_row_from_proto
from gateway.schemas.jobs import JobRow, job_row_from_proto
from libs.jobs.admin import list_rows as jobs
from libs.jobs.admin.servicer import JobMethods
from libs.json_rows import JsonRow, json_rows
from services.agent.mapping.agents import agent_to_proto
from services.agent.storage import list_rows as agents
from services.agent.storage.rows import agent_from_row
from services.calllog.mapping import call_to_proto
from services.calllog.storage import list_rows as calls
from services.calllog.storage.calls import call_from_row

T = TypeVar("T")


def named(kind: Any) -> dict[str, Any]:
    """The members of an answer, each with those of the objects inside it."""
    found: dict[str, Any] = {}
    for part in msgspec.structs.fields(kind):
        inner = [hint for hint in (part.type, *get_args(part.type)) if isinstance(hint, type)]
        structs = [hint for hint in inner if issubclass(hint, msgspec.Struct)]
        found[part.encode_name] = list(map(named, structs))
    return found


@pytest.mark.parametrize(
    ("made", "shown"), [(agents.AgentRow, AgentRow), (calls.CallRow, CallRow), (jobs.JobRow, JobRow)]
)
def test_the_fields_are_those_of_the_schema(made: Any, shown: Any) -> None:
    assert list(named(made).items()) == list(named(shown).items())


# Every column of a list's row, with a value, and with as little as its column may hold.
_NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
_AGENT = {
    "org_id": "org_1", "id": "agt_1", "name": "Ada", "description": "d", "tags": ["a", "b"], "status": "active",
    "provider": "elevenlabs", "external_agent_id": "x1", "system_prompt": "", "first_message": "Hello",
    "language": "en", "voice_id": "v1", "llm_model": "m", "llm_temperature": 0.5, "llm_max_tokens": 7,
    "dynamic_variables": "{}",
    "max_duration_seconds": 60, "knowledge_entry_ids": ["ent_1"], "draft_digest": "a", "published_digest": "b",
    "published_version": 2, "latest_version": 2, "version": 3, "created_at": _NOW, "updated_at": _NOW,
    "has_unpublished_changes": True,
}  # fmt: skip
_EMPTY_AGENT = _AGENT | {
    "description": "", "tags": [], "provider": "", "external_agent_id": "", "first_message": "", "language": "",
    "voice_id": "", "llm_model": "", "llm_temperature": None, "llm_max_tokens": None, "max_duration_seconds": None,
    "knowledge_entry_ids": [], "published_digest": "a", "published_version": 0, "has_unpublished_changes": False,
}  # fmt: skip
_CALL = {
    "id": "cal_1", "org_id": "org_1", "agent_id": "agt_1", "agent_version": 2, "external_call_id": "x",
    "external_agent_id": "y", "provider": "vapi", "status": "completed", "direction": "inbound", "from_number": "+1",
    "to_number": "+2", "duration_seconds": 12.5, "started_at": _NOW, "ended_at": _NOW, "cost_micros": 1_234_500,
    "cost_currency": "USD", "provider_cost_units": 5, "title": "t", "summary": "s", "successful": False,
    "termination_reason": "r", "language": "de", "turn_count": 4, "tags": ["a"], "version": 3, "created_at": _NOW,
    "updated_at": _NOW, "completeness": 3,
}  # fmt: skip
_EMPTY_CALL = _CALL | {
    "agent_id": None, "agent_version": 0, "external_call_id": "", "external_agent_id": "", "provider": "",
    "from_number": "", "to_number": "", "duration_seconds": None, "started_at": None, "ended_at": None,
    "cost_micros": None, "cost_currency": None, "provider_cost_units": None, "title": "", "summary": "",
    "successful": None, "termination_reason": "", "language": "", "turn_count": 0, "tags": [],
}  # fmt: skip
_JOB = {
    "id": "job_1", "org_id": "org_1", "kind": "k", "queue": "q", "state": "completed", "lane": 1, "progress": 100,
    "attempt": 1, "max_attempts": 3, "error_code": "c", "error_message": "m",
    "result": '{"big": 9007199254740993, "whole": 2.0, "part": 0.5, "deep": [{"none": null, "yes": true}]}',
    "created_at": _NOW, "run_at": _NOW, "started_at": _NOW, "finished_at": _NOW, "cancel_requested": True, "stalls": 1,
    "worker": "w",
}  # fmt: skip
_EMPTY_JOB = _JOB | {
    "error_code": None, "error_message": None, "result": None, "started_at": None, "finished_at": None,
    "cancel_requested": False, "stalls": 0, "state": "queued", "progress": 0,
}  # fmt: skip


def ordered(columns: str, record: dict[str, Any]) -> Any:
    """The record as PostgreSQL answers it: by position."""
    names = [one.rpartition(" as ")[2].strip().rpartition(".")[2] for one in columns.split(",")]
    return tuple(record[name] for name in names)


def job_to_proto(record: Any) -> jobs_pb2.Job:
    methods = object.__new__(JobMethods)
    methods._service = "agent"
    return methods._job_to_proto(record)


@pytest.mark.parametrize("record", [_AGENT, _EMPTY_AGENT])
def test_an_agent_in_json_is_the_agent_of_the_message(record: Any) -> None:
    made = agents.agent_row(ordered(agents.AGENT_ROW, record))
    assert decoded(made, AgentRow) == agent_row_from_proto(agent_to_proto(agent_from_row(record)))


@pytest.mark.parametrize("record", [_CALL, _EMPTY_CALL])
def test_a_call_in_json_is_the_call_of_the_message(record: Any) -> None:
    made = calls.call_row(ordered(calls.CALL_ROW, record))
    assert decoded(made, CallRow) == call_row_from_proto(call_to_proto(call_from_row(record)))


@pytest.mark.parametrize("record", [_JOB, _EMPTY_JOB])
def test_a_job_in_json_is_the_job_of_the_message(record: Any) -> None:
    """Its result too, whose numbers are doubles in a message."""
    made = jobs.job_row("agent", ordered(jobs.JOB_COLUMNS, record))
    assert decoded(made, JobRow) == job_row_from_proto(job_to_proto(record))


def decoded(made: JsonRow, shown: type[T]) -> T:
    [row] = msgspec.json.decode(json_rows([made]), type=list[shown], strict=True)  # type: ignore[valid-type]
    found: T = row
    return found

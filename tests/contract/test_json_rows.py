"""Rows that services make in JSON have the fields of the gateway's schemas, in their order."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from gateway.schemas.agents import AgentRow
from gateway.schemas.calls import CallRow
from gateway.schemas.jobs import JobRow
from libs.jobs.admin import list_rows as jobs
from services.agent.storage import list_rows as agents
from services.calllog.storage import list_rows as calls


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

"""An edit in one statement: what it writes, and who decides when another edit came between."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from echosenseix.agent.v1 import agent_pb2
from libs.context import Audited
from libs.events.audit import audit_recorder
from libs.ids import new_id
from libs.postgres import count_statements
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Principal
from services.agent.domain.agent import Agent, AgentStatus
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel
from services.agent.mapping.events import agent_event
from services.agent.storage.rows import WRITTEN, agent_values

from .conftest import Service, as_org
from .test_agents import read, update


async def test_every_column_is_saved_and_the_others_stay(service: Service, org: str) -> None:
    made = await service.create(org, description="Answers", tags=["a"])
    before = await service.stored.get(org, made.id)
    settings = AgentConfiguration(
        "Prompt ü", "Hi", "de-DE", "voice", LanguageModel("m-1", 0.1, 7), {"plan": 'a"b\\', "on": True, "n": None}, 60,
        ("kbe_1", "kbe_2"),
    )  # fmt: skip
    content = AgentContent("Sales", "Says €", ("b", "c d", '"'), "retell", "ext-9", settings)
    after = Agent(
        before.id, org, content, AgentStatus.ACTIVE, "digest", before.created_at,
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), "published", 3, 4, 2,
    )  # fmt: skip
    assert set(WRITTEN) - {"org_id", "id", "created_at"} == {
        name for name, one in _columns(after).items() if one != _columns(before)[name]
    }, "the test changes every column"
    assert await service.stored.edit(before, after, agent_event("agent.updated", after))
    assert await service.stored.get(org, made.id) == after
    one = dataclasses.replace(after, content=dataclasses.replace(content, name="Only"), version=3)
    assert await service.stored.edit(after, one, agent_event("agent.updated", one))
    assert await service.stored.get(org, made.id) == one
    assert await service.events(org) == ["agent.created", "agent.updated", "agent.updated"]


async def test_an_edit_of_a_state_that_is_gone_writes_nothing(service: Service, org: str) -> None:
    made = await service.create(org)
    before = await service.stored.get(org, made.id)
    other = dataclasses.replace(before, version=9)
    after = dataclasses.replace(other, content=dataclasses.replace(before.content, name="Lost"), version=10)
    assert not await service.stored.edit(other, after, agent_event("agent.updated", after))
    elsewhere = dataclasses.replace(before, org_id=new_id("org"))
    assert not await service.stored.edit(elsewhere, after, agent_event("agent.updated", after))
    assert await service.stored.get(org, made.id) == before
    assert await service.events(org) == ["agent.created"]


async def test_two_edits_that_meet_are_both_kept(service: Service, org: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await service.create(org)
    get = service.stored.get

    async def overtaken(org_id: str, agent_id: str) -> Agent:
        found = await get(org_id, agent_id)
        monkeypatch.undo()
        patch = agent_pb2.Agent(id=agent_id, description="Second")
        await service.agents.UpdateAgent(update(patch, "description"), None)
        return found

    monkeypatch.setattr(service.stored, "get", overtaken)
    with as_org(org):
        patch = agent_pb2.Agent(id=made.id, display_name="First")
        edited = (await service.agents.UpdateAgent(update(patch, "display_name"), None)).agent
    assert (edited.display_name, edited.description, edited.version) == ("First", "Second", 3)
    assert await read(service, org, made.id) == edited
    assert await service.events(org) == ["agent.created", "agent.updated", "agent.updated"]


@pytest.mark.parametrize(("home", "statements"), [("", 2), ("org_home", 8)])
async def test_an_edit_is_recorded_in_its_own_statement_unless_two_logs_have_it(
    service: Service, org: str, monkeypatch: pytest.MonkeyPatch, home: str, statements: int
) -> None:
    made = await service.create(org)
    monkeypatch.setattr(service.database._app, "audit", audit_recorder("agent"))
    who = Principal(
        org_id=org, user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway", home_org_id=home
    )
    call = CallContext(request_id='req_"1')
    call.audited = Audited(new_id("aud"), "update_agent", made.id, "203.0.113.9")
    audit_id = call.audited.id
    patch = agent_pb2.Agent(id=made.id, display_name='Sales "x"')
    with serving(call, who), count_statements() as counter:
        await service.agents.UpdateAgent(update(patch, "display_name"), None)
    assert counter.total == statements, counter.statements
    assert call.audited is None, "a call is recorded once"
    [record, *further] = await _records(service, audit_id)
    assert [other["orgid"] for other in further] == ([home] if home else [])
    assert (record["orgid"], record["partitionkey"], record["data"]["userId"]) == (org, audit_id, "usr_1")
    assert record["data"]["requestId"] == 'req_"1'
    change = json.loads(record["data"]["changes"])
    assert (change["table"], change["operation"], change["id"]) == ("agent", "update", made.id)
    assert (change["before"]["name"], change["after"]["name"]) == ("Support", 'Sales "x"')
    assert "description" not in change["after"], "only what differs"
    assert await service.events(org) == ["agent.created", "agent.updated", "audit.recorded"]


async def _records(service: Service, audit_id: str) -> list[Any]:
    rows = await service.database.system_fetch(
        "select x.payload::text as payload from outbox x where x.key = $1 order by x.id", audit_id
    )
    return [json.loads(row["payload"]) for row in rows]


def _columns(agent: Agent) -> dict[str, Any]:
    return dict(zip(WRITTEN, agent_values(agent), strict=True))

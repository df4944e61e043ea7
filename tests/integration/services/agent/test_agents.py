"""Agents through their methods: create, read, edit, copy, archive."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.agent.v1 import agent_pb2
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.postgres import count_statements

from .conftest import Service, as_org, as_service


def update(agent: agent_pb2.Agent, *paths: str, expected: int | None = None) -> agent_pb2.UpdateAgentRequest:
    return agent_pb2.UpdateAgentRequest(agent=agent, update_mask=FieldMask(paths=paths), expected_version=expected)


async def read(service: Service, org: str, agent_id: str) -> agent_pb2.Agent:
    with as_org(org):
        return (await service.agents.GetAgent(agent_pb2.GetAgentRequest(id=agent_id), None)).agent


async def test_what_was_created_is_read_back(service: Service, org: str) -> None:
    draft = agent_pb2.AgentConfiguration(system_prompt="Help. äöü €", first_message="Hi", language="de-DE")
    draft.llm.model, draft.llm.temperature = "m-1", 0.0
    draft.dynamic_variables.update({"plan": "gold", "seats": 5, "vip": True, "none": None})
    made = await service.create(org, "Support", description="Answers", draft=draft, tags=["a", "b"])
    assert made.id.startswith("agt_")
    assert (made.organization_id, made.version, made.status) == (org, 1, agent_pb2.AGENT_STATUS_DRAFT)
    assert made.has_unpublished_changes
    assert await read(service, org, made.id) == made
    assert made.draft == draft
    assert await service.events(org) == ["agent.created"]


async def test_output_only_fields_of_a_new_agent_have_no_effect(service: Service, org: str) -> None:
    made = await service.create(
        org, organization_id="org_other", id="agt_mine", version=99, published_version=7, status=2
    )
    assert (made.organization_id, made.version, made.published_version) == (org, 1, 0)
    assert made.id != "agt_mine"


async def test_an_edit_touches_the_masked_fields_alone(service: Service, org: str) -> None:
    made = await service.create(org, description="Answers")
    with as_org(org):
        patch = agent_pb2.Agent(id=made.id, display_name="Sales", description="ignored")
        edited = (await service.agents.UpdateAgent(update(patch, "display_name", expected=1), None)).agent
        assert (edited.display_name, edited.description, edited.version) == ("Sales", "Answers", 2)
        same = (await service.agents.UpdateAgent(update(patch, "display_name"), None)).agent
        assert same.version == 2
    assert await service.events(org) == ["agent.created", "agent.updated"]


async def test_a_stale_edit_writes_nothing(service: Service, org: str) -> None:
    made = await service.create(org)
    with as_org(org):
        patch = agent_pb2.Agent(id=made.id, display_name="Sales")
        await service.agents.UpdateAgent(update(patch, "display_name", expected=1), None)
        patch.display_name = "Lost"
        with pytest.raises(FailedPrecondition) as refusal:
            await service.agents.UpdateAgent(update(patch, "display_name", expected=1), None)
    assert refusal.value.reason == "stale_version"
    assert (await read(service, org, made.id)).display_name == "Sales"


async def test_privileged_fields_are_refused(service: Service, org: str) -> None:
    made = await service.create(org)
    with as_org(org):
        patch = agent_pb2.Agent(id=made.id, organization_id="org_other", version=9, published_version=3)
        for path in ("organization_id", "version", "published_version", "id", "status"):
            with pytest.raises(InvalidArgument):
                await service.agents.UpdateAgent(update(patch, path), None)
    assert await read(service, org, made.id) == made


async def test_another_organization_sees_nothing_and_learns_nothing(service: Service, org: str) -> None:
    made = await service.create(org, provider="retell", external_agent_id="ext-1")
    requests: dict[str, Any] = {
        "GetAgent": agent_pb2.GetAgentRequest(id=made.id),
        "UpdateAgent": update(agent_pb2.Agent(id=made.id, display_name="x"), "display_name"),
        "DeleteAgent": agent_pb2.DeleteAgentRequest(id=made.id),
        "DuplicateAgent": agent_pb2.DuplicateAgentRequest(id=made.id),
        "PublishAgent": agent_pb2.PublishAgentRequest(id=made.id),
        "ListAgentVersions": agent_pb2.ListAgentVersionsRequest(agent_id=made.id),
    }
    with as_org(new_id("org")):
        for method, request in requests.items():
            with pytest.raises(NotFound) as foreign:
                await getattr(service.agents, method)(request, None)
            for field in ("id", "agent_id"):
                if hasattr(request, field):
                    setattr(request, field, new_id("agt"))
            if method == "UpdateAgent":
                request.agent.id = new_id("agt")
            with pytest.raises(NotFound) as unknown:
                await getattr(service.agents, method)(request, None)
            assert str(foreign.value) == str(unknown.value)
        page = await service.agents.ListAgents(agent_pb2.ListAgentsRequest(search="Support"), None)
        assert not page.agents
    assert await read(service, org, made.id) == made


@pytest.mark.parametrize("agent_id", ["", "agt_", "agt_\x00", "x" * 5_000, "org_01", "agt_' or '1'='1"])
async def test_what_is_no_id_is_not_found(service: Service, org: str, agent_id: str) -> None:
    with as_org(org), pytest.raises(NotFound):
        await service.agents.GetAgent(agent_pb2.GetAgentRequest(id=agent_id), None)


async def test_scopes_are_needed(service: Service, org: str) -> None:
    with as_org(org, scopes=("agents:read",)), pytest.raises(PermissionDenied):
        await service.agents.CreateAgent(agent_pb2.CreateAgentRequest(), None)
    with as_org(org, scopes=("calls:read",)), pytest.raises(PermissionDenied):
        await service.agents.ListAgents(agent_pb2.ListAgentsRequest(), None)
    with as_org(org), pytest.raises(PermissionDenied):
        await service.agents.ResolveExternalAgent(agent_pb2.ResolveExternalAgentRequest(), None)


async def test_an_external_id_ties_one_agent_of_an_organization(service: Service, org: str) -> None:
    made = await service.create(org, external_agent_id="ext-1")
    assert made.provider == "elevenlabs"
    with pytest.raises(AlreadyExists) as refusal:
        await service.create(org, external_agent_id="ext-1")
    assert refusal.value.reason == "external_agent_taken"
    await service.create(org, provider="retell", external_agent_id="ext-1")
    await service.create(new_id("org"), external_agent_id="ext-1")
    with as_service(org):
        asked = agent_pb2.ResolveExternalAgentRequest(
            organization_id=org, provider="elevenlabs", external_agent_id="ext-1"
        )
        found = await service.agents.ResolveExternalAgent(asked, None)
        assert (found.agent_id, found.published_version, found.display_name) == (made.id, 0, "Support")
        for unknown in ("", "ext-2", "\x00"):
            asked.external_agent_id = unknown
            with pytest.raises(NotFound):
                await service.agents.ResolveExternalAgent(asked, None)


async def test_a_deleted_agent_disappears_and_frees_its_tie(service: Service, org: str) -> None:
    made = await service.create(org, external_agent_id="ext-1", tags=["vip"])
    with as_org(org):
        with pytest.raises(FailedPrecondition):
            await service.agents.DeleteAgent(agent_pb2.DeleteAgentRequest(id=made.id, expected_version=7), None)
        await service.agents.DeleteAgent(agent_pb2.DeleteAgentRequest(id=made.id, expected_version=1), None)
        with pytest.raises(NotFound):
            await service.agents.DeleteAgent(agent_pb2.DeleteAgentRequest(id=made.id), None)
        for request in (
            agent_pb2.ListAgentsRequest(),
            agent_pb2.ListAgentsRequest(search="Support"),
            agent_pb2.ListAgentsRequest(tags=["vip"]),
            agent_pb2.ListAgentsRequest(status=agent_pb2.AGENT_STATUS_ARCHIVED),
        ):
            assert not (await service.agents.ListAgents(request, None)).agents
    with pytest.raises(NotFound):
        await read(service, org, made.id)
    await service.create(org, external_agent_id="ext-1")
    assert await service.events(org) == ["agent.created", "agent.deleted", "agent.created"]


async def test_a_copy_is_an_agent_of_its_own(service: Service, org: str) -> None:
    made = await service.create(org, external_agent_id="ext-1", tags=["vip"])
    with as_org(org):
        copied = await service.agents.DuplicateAgent(agent_pb2.DuplicateAgentRequest(id=made.id), None)
    assert copied.agent.id != made.id
    assert (copied.agent.display_name, copied.agent.external_agent_id) == ("Support (copy)", "")
    assert list(copied.agent.tags) == ["vip"]


async def test_a_repeated_create_under_one_key_makes_one_agent(service: Service, org: str) -> None:
    request = agent_pb2.CreateAgentRequest(agent=agent_pb2.Agent(display_name="Once"))
    with as_org(org, key="k1", fingerprint="f") as call:
        first = await service.agents.CreateAgent(request, None)
        assert "x-idempotency-replayed" not in call.response_headers
    with as_org(org, key="k1", fingerprint="f") as call:
        assert await service.agents.CreateAgent(request, None) == first
        assert call.response_headers["x-idempotency-replayed"] == "true"
    with as_org(org, key="k1", fingerprint="other"), pytest.raises(InvalidArgument) as refusal:
        await service.agents.CreateAgent(request, None)
    assert refusal.value.reason == "idempotency_key_reused"
    assert await service.events(org) == ["agent.created"]


async def test_statements_of_each_request(service: Service, org: str) -> None:
    """begin and commit among them; a list costs the same however long it is."""
    made = await service.create(org)
    for number in range(30):
        await service.create(org, f"Agent {number}", tags=["many"])
    requests = [
        ("GetAgent", agent_pb2.GetAgentRequest(id=made.id), 1),
        ("ListAgents", agent_pb2.ListAgentsRequest(), 1),
        ("ListAgents", agent_pb2.ListAgentsRequest(tags=["many"], search="agent"), 1),
        ("CreateAgent", agent_pb2.CreateAgentRequest(agent=agent_pb2.Agent(display_name="x")), 6),
        ("UpdateAgent", update(agent_pb2.Agent(id=made.id, display_name="y"), "display_name"), 2),
        ("PublishAgent", agent_pb2.PublishAgentRequest(id=made.id), 8),
    ]
    with as_org(org):
        for method, request, expected in requests:
            with count_statements() as counter:
                await getattr(service.agents, method)(request, None)
            assert counter.total == expected, (method, counter.statements)

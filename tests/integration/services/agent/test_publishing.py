"""Versions: contiguous, immutable, written together with the agent and the event."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.agent.v1 import agent_pb2
from echosenseix.common.v1 import common_pb2
from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.ids import new_id

from .conftest import Service, as_org


async def test_publishing_freezes_what_the_draft_said(service: Service, org: str) -> None:
    made = await service.create(org, draft=agent_pb2.AgentConfiguration(system_prompt="One"))
    with as_org(org):
        asked = agent_pb2.PublishAgentRequest(id=made.id, description="first", expected_version=1)
        published = await service.agents.PublishAgent(asked, None)
        assert (published.agent_version.version, published.agent_version.created_by) == (1, "usr_1")
        assert (published.agent.status, published.agent.published_version) == (agent_pb2.AGENT_STATUS_ACTIVE, 1)
        assert not published.agent.has_unpublished_changes
        patch = agent_pb2.Agent(id=made.id, draft=agent_pb2.AgentConfiguration(system_prompt="Two"))
        mask = FieldMask(paths=["draft.system_prompt"])
        edited = await service.agents.UpdateAgent(agent_pb2.UpdateAgentRequest(agent=patch, update_mask=mask), None)
        assert edited.agent.has_unpublished_changes
        wanted = agent_pb2.GetAgentVersionRequest(agent_id=made.id, version=1)
        frozen = (await service.agents.GetAgentVersion(wanted, None)).agent_version
        assert frozen.configuration.system_prompt == "One"
    assert await service.events(org) == ["agent.created", "agent.published", "agent.updated"]


async def test_publishers_at_once_get_contiguous_numbers(service: Service, org: str) -> None:
    made = await service.create(org)

    async def publish() -> int:
        with as_org(org):
            answer = await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id), None)
            return answer.agent_version.version

    numbers = await asyncio.gather(*(publish() for _ in range(8)))
    assert sorted(numbers) == list(range(1, 9))


async def test_of_two_publishers_with_one_version_one_wins(service: Service, org: str) -> None:
    made = await service.create(org)

    async def publish() -> int:
        with as_org(org):
            asked = agent_pb2.PublishAgentRequest(id=made.id, expected_version=1)
            return (await service.agents.PublishAgent(asked, None)).agent_version.version

    ends = await asyncio.gather(publish(), publish(), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["FailedPrecondition", "int"]


async def test_an_unknown_test_run_does_not_pass(service: Service, org: str) -> None:
    made = await service.create(org)
    with as_org(org), pytest.raises(FailedPrecondition) as refusal:
        await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id, require_tests=True), None)
    assert refusal.value.reason == "tests_not_passed"


async def test_versions_are_listed_without_their_configuration(service: Service, org: str) -> None:
    made = await service.create(org, draft=agent_pb2.AgentConfiguration(system_prompt="One"))
    with as_org(org):
        for note in ("a", "b", "c"):
            await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id, description=note), None)
        asked = agent_pb2.ListAgentVersionsRequest(agent_id=made.id, page=common_pb2.PageRequest(limit=2))
        page = await service.agents.ListAgentVersions(asked, None)
        assert [version.version for version in page.agent_versions] == [3, 2]
        assert not page.agent_versions[0].HasField("configuration")
        assert (page.page_info.total, page.page_info.has_more) == (3, True)
        for number in (0, 4, -1):
            asked_one = agent_pb2.GetAgentVersionRequest(agent_id=made.id, version=number)
            with pytest.raises(NotFound):
                await service.agents.GetAgentVersion(asked_one, None)
        with pytest.raises(InvalidArgument):
            await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id, description="x\x00"), None)


async def test_the_serving_role_cannot_change_a_version(service: Service, org: str) -> None:
    made = await service.create(org)
    with as_org(org):
        await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id), None)
    for statement in ("update agent_version set description = 'x'", "delete from agent_version"):
        with pytest.raises(Exception, match="permission denied"):
            async with service.database.transaction(org) as conn:
                await conn.execute(statement)


async def test_dependents_of_an_entry_are_agents_that_name_it_in_draft_or_published_version(
    service: Service, org: str
) -> None:
    entry, other = new_id("kbe"), new_id("kbe")

    def naming(*entries: str) -> agent_pb2.AgentConfiguration:
        return agent_pb2.AgentConfiguration(knowledge_entry_ids=entries)

    drafted = await service.create(org, name="drafted", draft=naming(entry))
    published = await service.create(org, name="published", draft=naming(other, entry))
    await service.create(org, name="other", draft=naming(other))
    deleted = await service.create(org, name="deleted", draft=naming(entry))
    stranger = new_id("org")
    await service.create(stranger, name="of another organization", draft=naming(entry))
    with as_org(org):
        await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=published.id), None)
        emptied = agent_pb2.Agent(id=published.id, draft=naming(other))
        mask = FieldMask(paths=["draft.knowledge_entry_ids"])
        await service.agents.UpdateAgent(agent_pb2.UpdateAgentRequest(agent=emptied, update_mask=mask), None)
        await service.agents.DeleteAgent(agent_pb2.DeleteAgentRequest(id=deleted.id), None)

        async def dependents(entry_id: str) -> set[tuple[str, bool, int]]:
            asked = agent_pb2.ListDependentsRequest(knowledge_entry_id=entry_id)
            answer = await service.agents.ListDependents(asked, None)
            return {(found.agent_id, found.in_draft, found.published_version) for found in answer.dependents}

        assert await dependents(entry) == {(drafted.id, True, 0), (published.id, False, 1)}
        assert await dependents(new_id("kbe")) == set()
        assert await dependents("no id") == set()


async def test_an_agent_names_knowledge_entries_by_their_ids(service: Service, org: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.create(org, draft=agent_pb2.AgentConfiguration(knowledge_entry_ids=["agt_1"] * 101))
    assert {found.pointer for found in refused.value.violations} == {"#/knowledgeEntryIds"} | {
        f"#/knowledgeEntryIds/{index}" for index in range(100)
    }

"""A caller that is limited to some agents: what it reads and changes, and that the others look as if they were not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.agent.v1 import agent_pb2 as pb
from echosenseix.common.v1 import common_pb2
from libs.errors import NotFound, PermissionDenied
from libs.ids import new_id
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Grants, Principal

from .conftest import Service

SCOPES = frozenset({"agents:read", "agents:write", "knowledge:read"})


@contextmanager
def limited(org: str, *readable: str, write: tuple[str, ...] = ()) -> Iterator[None]:
    grants = Grants(frozenset((*readable, *write)), frozenset(write))
    who = Principal(org, "usr_2", "ses_2", "", "member", SCOPES, "gateway", grants=grants)
    with serving(CallContext(), who):
        yield


async def listed(service: Service, **wanted: object) -> pb.ListAgentsResponse:
    return await service.agents.ListAgents(pb.ListAgentsRequest(**wanted), None)  # type: ignore[arg-type]


async def test_lists_searches_and_totals_are_of_the_granted_agents_alone(service: Service, org: str) -> None:
    ids = [(await service.create(org, f"Desk {number}", tags=["x"])).id for number in range(6)]
    granted = sorted(ids[1:4])
    with limited(org, *granted):
        for wanted in ({}, {"search": "desk"}, {"tags": ["x"]}, {"status": pb.AGENT_STATUS_DRAFT}):
            answer = await listed(service, **wanted)
            assert (sorted(agent.id for agent in answer.agents), answer.page_info.total) == (granted, 3)
        page = common_pb2.PageRequest(limit=2, cursor_mode=True, include_total=True)
        first = await listed(service, page=page)
        page.cursor = first.page_info.next_cursor
        second = await listed(service, page=page)
        seen = [agent.id for answer in (first, second) for agent in answer.agents]
        assert (sorted(seen), first.page_info.total, second.page_info.has_more) == (granted, 3, False)
    with limited(org):
        nothing = await listed(service)
        assert (list(nothing.agents), nothing.page_info.total) == ([], 0)


async def test_an_agent_outside_the_grants_cannot_be_told_from_none(service: Service, org: str) -> None:
    mine, other = await service.create(org), await service.create(org)
    with limited(org, write=(mine.id,)):
        for agent in (other.id, new_id("agt")):
            name = pb.Agent(id=agent, display_name="Taken")
            mask = FieldMask(paths=["display_name"])
            for refused in (
                service.agents.GetAgent(pb.GetAgentRequest(id=agent), None),
                service.agents.UpdateAgent(pb.UpdateAgentRequest(agent=name, update_mask=mask), None),
                service.agents.DeleteAgent(pb.DeleteAgentRequest(id=agent), None),
                service.agents.PublishAgent(pb.PublishAgentRequest(id=agent), None),
                service.agents.ListAgentVersions(pb.ListAgentVersionsRequest(agent_id=agent), None),
            ):
                with pytest.raises(NotFound, match="agent_not_found"):
                    await refused
            with pytest.raises(NotFound, match="agent_version_not_found"):
                await service.agents.GetAgentVersion(pb.GetAgentVersionRequest(agent_id=agent, version=1), None)
        assert (await service.agents.GetAgent(pb.GetAgentRequest(id=mine.id), None)).agent.id == mine.id


async def test_a_grant_to_read_changes_nothing_and_one_to_write_does(service: Service, org: str) -> None:
    read, write = await service.create(org), await service.create(org)
    with limited(org, read.id, write=(write.id,)):
        mask = FieldMask(paths=["display_name"])
        for refused in (
            service.agents.UpdateAgent(
                pb.UpdateAgentRequest(agent=pb.Agent(id=read.id, display_name="x"), update_mask=mask), None
            ),
            service.agents.PublishAgent(pb.PublishAgentRequest(id=read.id), None),
            service.agents.DeleteAgent(pb.DeleteAgentRequest(id=read.id), None),
        ):
            with pytest.raises(PermissionDenied, match="read_only_grant"):
                await refused
        renamed = pb.UpdateAgentRequest(agent=pb.Agent(id=write.id, display_name="Mine"), update_mask=mask)
        assert (await service.agents.UpdateAgent(renamed, None)).agent.display_name == "Mine"
        published = await service.agents.PublishAgent(pb.PublishAgentRequest(id=write.id), None)
        asked = pb.GetAgentVersionRequest(agent_id=write.id, version=published.agent_version.version)
        assert (await service.agents.GetAgentVersion(asked, None)).agent_version.agent_id == write.id
        await service.agents.DeleteAgent(pb.DeleteAgentRequest(id=write.id), None)

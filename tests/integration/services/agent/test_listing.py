"""The list of agents: both modes, search, tags, filters, order, and the indexes behind them."""

from __future__ import annotations

import asyncpg
import msgspec
import pytest

from echosenseix.agent.v1 import agent_pb2
from echosenseix.common.v1 import common_pb2
from gateway.http.lists import list_answer
from gateway.schemas.agents import agent_row_from_proto
from libs.errors import InvalidArgument
from libs.ids import new_id

from .conftest import Service, as_org


async def listed(service: Service, org: str, **fields: object) -> agent_pb2.ListAgentsResponse:
    with as_org(org):
        return await service.agents.ListAgents(agent_pb2.ListAgentsRequest(**fields), None)  # type: ignore[arg-type]


def names(answer: agent_pb2.ListAgentsResponse) -> list[str]:
    return [agent.display_name for agent in answer.agents]


async def test_pages_by_number_newest_first(service: Service, org: str) -> None:
    for number in range(5):
        await service.create(org, f"Agent {number}")
    first = await listed(service, org, page=common_pb2.PageRequest(limit=2))
    assert names(first) == ["Agent 4", "Agent 3"]
    assert (first.page_info.total, first.page_info.has_more, first.page_info.page) == (5, True, 1)
    last = await listed(service, org, page=common_pb2.PageRequest(limit=2, page=3))
    assert (names(last), last.page_info.has_more) == (["Agent 0"], False)
    beyond = await listed(service, org, page=common_pb2.PageRequest(limit=2, page=9))
    assert (names(beyond), beyond.page_info.total) == ([], 5)


async def test_rows_in_json_are_what_the_api_makes_of_the_messages(service: Service, org: str) -> None:
    draft = agent_pb2.AgentConfiguration(system_prompt="Help.", first_message="Hi €", language="de-DE", voice_id="v")
    draft.llm.model, draft.llm.temperature, draft.max_duration_seconds = "m-1", 0.0, 60
    draft.dynamic_variables.update({"plan": "gold"})
    draft.knowledge_entry_ids.append(new_id("kbe"))
    tied = {"provider": "retell", "external_agent_id": new_id("ext")}
    made = await service.create(org, 'Full "of" it', description="Answers", draft=draft, tags=["a", "b"], **tied)
    with as_org(org):
        await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id), None)
    await service.create(org, "Bare")
    messages = await listed(service, org, page=common_pb2.PageRequest())
    in_json = await listed(service, org, page=common_pb2.PageRequest(json_rows=True))
    rows = list_answer([agent_row_from_proto(agent) for agent in messages.agents], messages.page_info).data
    assert in_json.page_info.json_rows == msgspec.json.encode(rows)
    assert len(in_json.agents) == 0
    in_json.page_info.ClearField("json_rows")
    assert in_json.page_info == messages.page_info


@pytest.mark.parametrize(("sort", "order"), [("", ""), ("name", "asc"), ("name", "desc"), ("updatedAt", "asc")])
async def test_cursors_walk_over_every_agent_once(service: Service, org: str, sort: str, order: str) -> None:
    for number in range(7):
        await service.create(org, f"Agent {number % 3}")
    seen: list[str] = []
    cursor = ""
    while True:
        wanted = common_pb2.PageRequest(limit=2, cursor=cursor, cursor_mode=True, sort=sort, order=order)
        answer = await listed(service, org, page=wanted)
        seen += [agent.id for agent in answer.agents]
        cursor = answer.page_info.next_cursor
        if not cursor:
            break
    whole = await listed(service, org, page=common_pb2.PageRequest(sort=sort, order=order))
    assert seen == [agent.id for agent in whole.agents]
    assert len(set(seen)) == 7


async def test_a_cursor_fits_its_own_list_alone(service: Service, org: str) -> None:
    for number in range(3):
        await service.create(org, f"Agent {number}")
    wanted = common_pb2.PageRequest(limit=1, cursor_mode=True)
    wanted.cursor = (await listed(service, org, page=wanted)).page_info.next_cursor
    for other in ({"search": "agent"}, {"tags": ["x"]}, {"status": 1}, {"provider": "retell"}):
        with pytest.raises(InvalidArgument) as refusal:
            await listed(service, org, page=wanted, **other)
        assert refusal.value.reason == "invalid_cursor"
    with pytest.raises(InvalidArgument):
        await listed(service, new_id("org"), page=wanted)


async def test_search_finds_the_beginnings_of_words(service: Service, org: str) -> None:
    await service.create(org, "Billing support", description="Answers invoices for e-mail@example.com")
    await service.create(org, "Sales", description="Sells Grüße über 24h")
    for search, found in {
        "bill": ["Billing support"],
        "SUPPORT": ["Billing support"],
        "upport": [],
        "support inv": ["Billing support"],
        "example": ["Billing support"],
        "e-mail": ["Billing support"],
        "grü": ["Sales"],
        "24h": ["Sales"],
        "s": ["Sales", "Billing support"],
        "   ": ["Sales", "Billing support"],
        "!!!": [],
        "' or 1=1; --": [],
        "a:* & !b": ["Billing support"],
    }.items():
        assert names(await listed(service, org, search=search)) == found, search


async def test_names_are_found_in_any_script_and_without_accents(service: Service, org: str) -> None:
    for name in (
        "客服中心助手", "José Núñez", "Desk KX-4471", "Error E1042", "ผู้ช่วยร้านค้า", "Party 🎉", "Łódź",
        "שירות בבית המלון", "خدمة الفندق",
    ):  # fmt: skip
        await service.create(org, name)
    for search, found in {
        "中心": ["客服中心助手"],
        "jose nunez": ["José Núñez"],
        "4471": ["Desk KX-4471"],
        "kx4471": ["Desk KX-4471"],
        "kx44 desk": ["Desk KX-4471"],
        "KX/4471": ["Desk KX-4471"],
        "E_1042": ["Error E1042"],
        "מלון": ["שירות בבית המלון"],
        "והמלון": ["שירות בבית המלון"],
        "فندق": ["خدمة الفندق"],
        "بالفندق": ["خدمة الفندق"],
        "4472": [],
        "ร้านค้า": ["ผู้ช่วยร้านค้า"],
        "🎉": ["Party 🎉"],
        "lodz": ["Łódź"],
    }.items():
        assert names(await listed(service, org, search=search)) == found, search


async def test_filters_combine(service: Service, org: str) -> None:
    await service.create(org, "One", tags=["vip", "de"], provider="retell")
    await service.create(org, "Two", tags=["vip"])
    third = await service.create(org, "Three", tags=["vip", "de"])
    with as_org(org):
        await service.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=third.id), None)
    assert names(await listed(service, org, tags=["vip", "de"])) == ["Three", "One"]
    assert names(await listed(service, org, tags=["de"], provider="retell")) == ["One"]
    assert names(await listed(service, org, status=agent_pb2.AGENT_STATUS_ACTIVE)) == ["Three"]
    assert names(await listed(service, org, status=agent_pb2.AGENT_STATUS_DRAFT, tags=["vip"])) == ["Two", "One"]
    assert names(await listed(service, org, provider="no one")) == []


async def test_rows_leave_out_prompt_and_variables(service: Service, org: str) -> None:
    draft = agent_pb2.AgentConfiguration(system_prompt="secret", first_message="Hi", language="en")
    draft.dynamic_variables["a"] = 1
    await service.create(org, draft=draft)
    row = (await listed(service, org)).agents[0]
    assert (row.draft.system_prompt, row.draft.first_message, row.draft.language) == ("", "Hi", "en")
    assert not row.draft.dynamic_variables.fields
    assert row.has_unpublished_changes


@pytest.mark.parametrize(
    "fields", [{"search": "\x00"}, {"tags": ["\x00"]}, {"provider": "\x00"}, {"search": "x" * 201}]
)
async def test_filters_that_cannot_be_are_refused(service: Service, org: str, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        await listed(service, org, **fields)


async def test_each_order_and_search_has_its_index(service: Service, org: str) -> None:
    """As the planner would choose with many rows: sequential scans and sorts priced out."""
    await service.create(org)
    plans = {
        "agent_newest": "select a.id from agent a where a.org_id = $1 and a.status <> 'archived' "
        "order by a.created_at desc, a.id desc limit 51",
        "agent_by_update": "select a.id from agent a where a.org_id = $1 and a.status <> 'archived' "
        "order by a.updated_at desc, a.id desc limit 51",
        "agent_by_name": "select a.id from agent a where a.org_id = $1 and a.status <> 'archived' "
        "order by a.name, a.id limit 51",
        "agent_by_status": "select a.id from agent a where a.org_id = $1 and a.status <> 'archived' "
        "and a.status = 'draft' order by a.created_at desc, a.id desc limit 51",
        "agent_by_provider": "select a.id from agent a where a.org_id = $1 and a.status <> 'archived' "
        "and a.provider = 'retell' order by a.created_at desc, a.id desc limit 51",
    }
    async with service.database.transaction(org) as conn:
        for costly in ("seqscan", "sort", "bitmapscan"):
            await conn.execute(f"set local enable_{costly} = off")
        for index, sql in plans.items():
            plan = "\n".join(row[0] for row in await conn.fetch(f"explain {sql}", org))
            assert f"using {index} " in plan.lower(), plan


async def test_search_and_tags_are_read_through_gin(service: Service, org: str) -> None:
    """The functions run as the owner, so the plans inside them are asked for as the owner, over a tenant of 5,000."""
    admin = await asyncpg.connect(service.database.settings.database_admin_url)
    await admin.execute(
        "insert into agent.agent (org_id, id, name, tags, status, dynamic_variables, published_version, "
        "latest_version, version, created_at, updated_at, description, provider, external_agent_id, system_prompt, "
        "first_message, language, voice_id, llm_model, draft_digest, published_digest) "
        f"select '{org}', 'agt_' || n, 'name ' || n, array['t' || n], 'draft', '{{}}', 0, 0, 1, now(), now(), "
        "'', '', '', '', '', '', '', '', '', '' "
        "from generate_series(1, 5000) n"
    )
    await admin.execute("vacuum analyze agent.agent")
    await admin.execute("set role agent_owner; set search_path = agent, extensions")
    mine = f"a.org_id = '{org}' and a.status <> 'archived'"
    plans = {"agent_search": "a.search @@ to_tsquery('simple', '77:*')", "agent_tags": "a.tags @> '{t77}'"}
    for index, condition in plans.items():
        rows = await admin.fetch(f"explain select a.id from agent a where {mine} and {condition}")
        plan = "\n".join(row[0] for row in rows)
        assert f"on {index} " in plan, plan
    await admin.close()


async def test_the_search_functions_answer_nothing_without_an_organization(service: Service, org: str) -> None:
    await service.create(org, "Support", tags=["vip"])
    async with service.database.system_transaction() as conn:
        assert await conn.fetch("select agent_matching('support')") == []
        assert await conn.fetch("select agent_tagged('{vip}')") == []

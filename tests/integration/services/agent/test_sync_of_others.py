"""provider.sync of Retell and Vapi accounts, by a real worker; what the stand-ins answer the official SDKs read too."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from retell import Retell as RetellClient
from retell.types import AgentListResponse
from vapi import Vapi as VapiClient

from libs.jobs.store.claims import Claimer
from providers.vapi import agents as vapi
from services.agent.jobs import job_handlers
from services.agent.operations import SYNC, enqueue_sync

from .account_stand_ins import KEY, Account, Retell, Vapi, serving
from .conftest import Service
from .test_provider_sync import connect, finished, integration, tied, until, worker

__all__ = ["worker"]  # the fixture runs here as well


async def sync(service: Service, org: str, provider: str) -> str:
    async with service.database.transaction(org) as conn:
        return await enqueue_sync(conn, org, provider)


async def test_retell_agents_become_known_page_by_page(service: Service, org: str) -> None:
    account = Retell()
    for number in range(5):
        account.add(f"agent_{number}", f"Desk {number}")
    account.agents.append({**account.agents[0], "agent_id": "agent_chat", "channel": "chat"})
    async with serving(account) as address:
        sdk = RetellClient(api_key=KEY, base_url=address)
        page = await asyncio.to_thread(sdk.agent.list)
        assert AgentListResponse.model_validate(page.model_dump()) == page
        assert ([row.agent_name for row in page.items], page.pagination_key) == (["Desk 0", "Desk 1"], "2")
        account.asked.clear()
        await connect(service, org, address, KEY, "retell")
        done = await finished(service, await sync(service, org, "retell"))
    assert (done["state"], done["result"]) == ("completed", '{"added": 5}')
    assert [query.get("pagination_key") for _, _, query in account.asked] == [None, "2", "4"]
    assert await tied(service, org) == {f"agent_{number}": f"Desk {number}" for number in range(5)}
    assert (await integration(service, org, "retell")).HasField("last_sync_time")


async def test_vapi_assistants_become_known_page_by_page(service: Service, org: str) -> None:
    """The one at a page's end comes again at the next page's beginning, and is added once."""
    account = Vapi()
    for number in range(vapi.PAGE_SIZE + 3):
        account.add(f"asst-{number}", f"Desk {number}" if number else None, f"2026-01-01T10:{number // 2:02}:00.000Z")
    async with serving(account) as address:
        listed = await asyncio.to_thread(VapiClient(token=KEY, base_url=address).assistants.list, limit=2)
        assert (listed[0].name, listed[0].voice.voice_id) == (f"Desk {vapi.PAGE_SIZE + 2}", "voice-7")
        assert listed[0].max_duration_seconds == 900
        account.asked.clear()
        await connect(service, org, address, KEY, "vapi")
        done = await finished(service, await sync(service, org, "vapi"))
    assert (done["state"], done["result"]) == ("completed", f'{{"added": {vapi.PAGE_SIZE + 3}}}')
    assert len(account.asked) == 2
    names = "select a.name from agent a where a.org_id = $1 and a.external_agent_id = 'asst-0'"
    assert await service.database.system_fetchval(names, org) == "Unnamed agent"
    longest = "select array_agg(distinct a.max_duration_seconds) from agent a where a.org_id = $1"
    assert await service.database.system_fetchval(longest, org) == [900]


@pytest.mark.parametrize(("provider", "account"), [("retell", Retell()), ("vapi", Vapi())])
async def test_a_refused_key_is_shown(service: Service, org: str, provider: str, account: Account) -> None:
    async with serving(account) as address:
        await connect(service, org, address, "key_wrong_000000", provider)
        failed = await finished(service, await sync(service, org, provider))
    assert (failed["state"], failed["attempt"], failed["error"]) == ("failed", 1, "provider_key_refused")
    assert (await integration(service, org, provider)).status == "failing"


@pytest.mark.parametrize(("status", "reason"), [(429, "provider_rate_limited"), (503, "provider_failed")])
async def test_the_time_that_the_provider_names_is_waited(service: Service, org: str, status: int, reason: str) -> None:
    account = Retell(refusals=[(status, {"retry-after": "40"})])
    async with serving(account) as address:
        await connect(service, org, address, KEY, "retell")
        job_id = await sync(service, org, "retell")
        row = await until(service, job_id, lambda row: row["error"] == reason)
    wait = "select extract(epoch from j.run_at - now())::float8 from job j where j.id = $1"
    assert 30 < await service.database.system_fetchval(wait, job_id) <= 40
    assert (row["state"], len(account.asked)) == ("scheduled", 1)
    async with service.database.system_transaction() as conn:
        await conn.execute("delete from job where id = $1", job_id)


async def test_a_provider_whose_agents_no_one_lists_is_refused_before_its_key_is_used(
    service: Service, org: str
) -> None:
    async with service.database.transaction(org) as conn:
        job_id = await SYNC.enqueue(conn, org, {"provider": "other"})
    failed = await finished(service, job_id)
    assert (failed["state"], failed["attempt"], failed["error"]) == ("failed", 1, "sync_unsupported")


async def test_syncs_of_one_organization_start_at_their_pace(service: Service) -> None:
    """Claimed as a worker claims, by the service's own limits, under a name that the running worker does not know."""
    nothing: Any = None
    declared = job_handlers(nothing, nothing, nothing, nothing, nothing).queues[SYNC.queue]
    policy = replace(declared, name="paced", max_running_per_org=None)
    assert policy.rate_per_org is not None
    for org in ("org_paced1", "org_paced2"):
        async with service.database.transaction(org) as conn:
            for _ in range(policy.rate_per_org.burst + 4):
                await replace(SYNC, queue=policy.name).enqueue(conn, org)
    claimer = Claimer(service.database, policy, "paced")
    claimed = [job.org_id for _ in range(10) for job in await claimer.claim(64)]
    assert Counter(claimed) == dict.fromkeys(("org_paced1", "org_paced2"), policy.rate_per_org.burst)

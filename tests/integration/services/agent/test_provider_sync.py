"""provider.sync, run by a real worker against a stand-in that speaks in the official SDK's models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from elevenlabs import ElevenLabs

from echosenseix.agent.v1 import agent_pb2
from libs.bus import Bus
from libs.clock import SystemClock
from libs.errors import Aborted
from libs.http import OutboundClient
from libs.jobs import JobContext, QueuePolicy, Worker
from libs.jobs.store import leases
from libs.jobs.store.claims import Claimer
from libs.postgres import Record
from local.stores import Stores
from services.agent.jobs import job_handlers
from services.agent.operations import SYNC, enqueue_sync
from services.agent.storage.syncs import Syncs

from .conftest import ALLOWED, Service, as_org
from .elevenlabs_stand_in import KEY, StandIn

FINISHED = ("completed", "failed", "cancelled")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def worker(service: Service, stores: Stores) -> AsyncIterator[None]:
    bus = await Bus.connect(stores.nats_url, "test-agent-worker")
    client, stop = OutboundClient(ALLOWED), asyncio.Event()
    handlers = job_handlers(service.database, service.stored, service.accounts, client, SystemClock())
    running = asyncio.create_task(Worker(service.database.settings, "agent", service.database, bus, handlers).run(stop))
    yield
    stop.set()
    await running
    await client.close()
    await bus.close()


@asynccontextmanager
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    provider = StandIn()
    address = await provider.start()
    try:
        yield provider, address
    finally:
        await provider.stop()


async def connect(service: Service, org: str, address: str, key: str = KEY, provider: str = "elevenlabs") -> None:
    credentials = agent_pb2.ProviderCredentials(api_key=key, base_url=address)
    with as_org(org):
        request = agent_pb2.PutIntegrationRequest(provider=provider, credentials=credentials)
        await service.integrations.PutIntegration(request, None)


async def sync(service: Service, org: str, provider: str = "elevenlabs") -> str:
    with as_org(org):
        request = agent_pb2.SyncIntegrationRequest(provider=provider)
        return (await service.integrations.SyncIntegration(request, None)).job_id


async def until(service: Service, job_id: str, fits: Callable[[Record], bool]) -> Record:
    async with asyncio.timeout(20):
        while True:
            row = await service.database.system_fetchrow(
                "select j.state, j.attempt, j.result::text as result, coalesce(j.error_code, '') as error "
                "from job j where j.id = $1",
                job_id,
            )
            assert row is not None
            if fits(row):
                return row
            await asyncio.sleep(0.02)


async def finished(service: Service, job_id: str) -> Record:
    return await until(service, job_id, lambda row: row["state"] in FINISHED)


async def tied(service: Service, org: str) -> dict[str, str]:
    with as_org(org):
        page = await service.agents.ListAgents(agent_pb2.ListAgentsRequest(), None)
    return {agent.external_agent_id: agent.display_name for agent in page.agents}


async def integration(service: Service, org: str, provider: str = "elevenlabs") -> agent_pb2.Integration:
    with as_org(org):
        asked = agent_pb2.GetIntegrationRequest(provider=provider)
        return (await service.integrations.GetIntegration(asked, None)).integration


async def test_every_agent_of_the_account_becomes_known(service: Service, org: str) -> None:
    async with stand_in() as (provider, address):
        for number in range(5):
            provider.add(f"ext-{number}", f"Agent {number}", ["vip"])
        sdk = ElevenLabs(api_key=KEY, base_url=address)
        page = await asyncio.to_thread(sdk.conversational_ai.agents.list)
        assert [agent.agent_id for agent in page.agents] == ["ext-0", "ext-1"]
        provider.asked.clear()
        await connect(service, org, address)
        done = await finished(service, await sync(service, org))
        assert (done["state"], done["result"]) == ("completed", '{"added": 5}')
        assert provider.asked == ["", "2", "4"]
        assert await tied(service, org) == {f"ext-{number}": f"Agent {number}" for number in range(5)}
        synced = await integration(service, org)
        assert synced.HasField("last_sync_time")
        assert (await service.events(org))[-1] == "integration.synced"
        assert (await service.events(org)).count("agent.created") == 5
        again = await finished(service, await sync(service, org))
        assert again["result"] == '{"added": 0}'
        assert len(await tied(service, org)) == 5


async def test_agents_already_tied_are_left_as_they_are(service: Service, org: str) -> None:
    made = await service.create(org, "My own name", external_agent_id="ext-1")
    async with stand_in() as (provider, address):
        provider.add("ext-1", "Their name")
        provider.add("ext-2", "  " + "x" * 300, ["t" * 99, " "])
        provider.add("ext-3", "")
        await connect(service, org, address)
        await finished(service, await sync(service, org))
    found = await tied(service, org)
    assert found == {"ext-1": "My own name", "ext-2": "x" * 200, "ext-3": "Unnamed agent"}
    with as_org(org):
        assert (await service.agents.GetAgent(agent_pb2.GetAgentRequest(id=made.id), None)).agent == made


async def test_a_refused_key_fails_at_once_and_is_shown(service: Service, org: str) -> None:
    async with stand_in() as (provider, address):
        await connect(service, org, address, "sk_wrong_key_0000")
        failed = await finished(service, await sync(service, org))
        assert (failed["state"], failed["attempt"]) == ("failed", 1)
        assert failed["error"] == "provider_key_refused"
        shown = await integration(service, org)
        assert (shown.status, shown.last_sync_error) == (
            "failing",
            "ElevenLabs refused the API key. Enter a valid one.",
        )
        assert (await service.events(org))[-1] == "integration.failed"
        assert provider.asked == [""]


async def test_a_break_goes_on_from_the_page_it_reached(service: Service, org: str) -> None:
    async with stand_in() as (provider, address):
        for number in range(6):
            provider.add(f"ext-{number}", f"Agent {number}")
        provider.failures, provider.fail_at_cursor = [503], "4"
        await connect(service, org, address)
        done = await finished(service, await sync(service, org))
    assert done["state"] == "completed"
    assert provider.asked == ["", "2", "4", "4"]
    assert len(await tied(service, org)) == 6


async def test_a_provider_that_stays_away_fails_the_integration(service: Service, org: str) -> None:
    async with stand_in() as (provider, address):
        provider.failures = [500, 500, 500]
        await connect(service, org, address)
        failed = await finished(service, await sync(service, org))
    assert failed["state"] == "failed"
    assert (await integration(service, org)).status == "failing"
    assert (await service.events(org)).count("integration.failed") == 1


async def test_slow_down_is_obeyed(service: Service, org: str) -> None:
    async with stand_in() as (provider, address):
        provider.failures = [429]
        await connect(service, org, address)
        job_id = await sync(service, org)
        await until(service, job_id, lambda row: "provider_rate_limited" in row["error"])
        row = await service.database.system_fetchrow(
            "select j.state, extract(epoch from j.run_at - now())::float8 as wait from job j where j.id = $1", job_id
        )
        assert row is not None
        assert row["state"] in ("scheduled", "queued")
        assert 3 < row["wait"] <= 8
    async with service.database.system_transaction() as conn:
        await conn.execute("delete from job where id = $1", job_id)


async def test_a_second_sync_waits_and_a_lost_lease_saves_nothing(service: Service, org: str) -> None:
    syncs, now = Syncs(), SystemClock().now()
    async with stand_in() as (_, address):
        await connect(service, org, address)
    async with service.database.transaction(org) as conn:
        assert await syncs.take(conn, org, "elevenlabs", "job_a/f1", now) == ""
        assert await syncs.take(conn, org, "elevenlabs", "job_b/f3", now) is None
        await syncs.save(conn, org, "elevenlabs", "job_a/f1", "7", now)
        assert await syncs.take(conn, org, "elevenlabs", "job_a/f2", now) == "7"
        assert await syncs.take(conn, org, "elevenlabs", "job_b/f3", now + timedelta(seconds=61)) == "7"
    for token in ("job_a/f1", "job_a/f2"):
        with pytest.raises(Aborted):
            async with service.database.transaction(org) as conn:
                await syncs.save(conn, org, "elevenlabs", token, "9", now)
    async with service.database.transaction(org) as conn:
        assert await conn.fetchval("select i.sync_cursor from integration i where i.org_id = $1", org) == "7"


async def test_a_removed_integration_discards_its_sync(service: Service, org: str) -> None:
    async with stand_in() as (_, address):
        await connect(service, org, address)
        async with service.database.transaction(org) as conn:
            await conn.execute("delete from integration where org_id = $1", org)
            job_id = await enqueue_sync(conn, org, "elevenlabs")
        failed = await finished(service, job_id)
    assert (failed["state"], failed["attempt"]) == ("failed", 1)


@pytest.mark.parametrize(("provider", "path"), [("retell", "/v2/list-agents"), ("vapi", "/assistant")])
async def test_no_other_providers_key_is_sent_the_way_of_elevenlabs(
    service: Service, org: str, provider: str, path: str
) -> None:
    async with stand_in() as (listening, address):
        await connect(service, org, address, KEY, provider)
        failed = await finished(service, await sync(service, org, provider))
        assert set(listening.paths) == {path}
        assert listening.keys == []
    assert failed["state"] == "failed"


async def test_a_paused_worker_that_comes_back_saves_nothing(service: Service, org: str, stores: Stores) -> None:
    """Its stall charged no attempt, so it and its replacement run the same attempt of the same job."""
    bus, client = await Bus.connect(stores.nats_url, "test-agent-paused"), OutboundClient(ALLOWED)
    handlers = job_handlers(service.database, service.stored, service.accounts, client, SystemClock())
    run = handlers.kinds["provider.sync"][1]

    async def claim(worker: str) -> JobContext:
        (job,) = await Claimer(service.database, QueuePolicy("fencing"), worker).claim(1)
        return JobContext(job, service.database, bus)

    async with stand_in() as (provider, address):
        for number in range(6):
            provider.add(f"ext-{number}", f"Agent {number}")
        await connect(service, org, address)
        async with service.database.transaction(org) as conn:
            args = {"provider": "elevenlabs"}
            await replace(SYNC, queue="fencing").enqueue(conn, org, args)
        back, on = provider.hold(1), provider.hold(4)
        paused = await claim("paused")
        first = asyncio.ensure_future(run(paused))
        await provider.asked_times(1)
        assert [swept.id for swept in await leases.sweep(service.database, "paused")] == [paused.job.id]
        replacement = await claim("replacement")
        assert (replacement.job.id, replacement.job.attempt) == (paused.job.id, paused.job.attempt)
        second = asyncio.ensure_future(run(replacement))
        await provider.asked_times(4)
        back.set()
        with pytest.raises(Aborted):
            await first
        cursor = "select i.sync_cursor from integration i where i.org_id = $1"
        assert await service.database.system_fetchval(cursor, org) == "4"
        on.set()
        assert await second == {"added": 6}
    await client.close()
    await bus.close()

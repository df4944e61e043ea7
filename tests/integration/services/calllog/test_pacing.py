"""The call-log's own queues are paced: no organization asks its provider faster than the handlers declare."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from libs.jobs import Handlers
from libs.jobs.store.claims import Claimer
from services.calllog.operations import AUDIO, RECONCILE

from .conftest import CallLog, eventually
from .provider import RetellProvider, serving
from .test_retell import ask


@pytest_asyncio.fixture(loop_scope="session")
async def retell() -> AsyncIterator[RetellProvider]:
    async with serving(RetellProvider()) as running:
        yield running


@pytest.mark.parametrize("queue", [AUDIO.queue, RECONCILE.queue])
async def test_no_more_start_at_once_than_the_burst(calllog: CallLog, queue: str) -> None:
    """Claimed as a worker claims, by the service's own limits; the second organization is not held up by the first.
    The queue goes by another name here, so that the running worker leaves it alone."""
    handlers: Handlers = calllog.handlers
    policy = replace(handlers.queues[queue], name=f"paced-{queue}", max_running_per_org=None)
    assert policy.rate_per_org is not None
    assert handlers.queues[queue].max_running_per_org == 2
    burst = policy.rate_per_org.burst
    for org in ("org_paced1", "org_paced2"):
        async with calllog.database.transaction(org) as conn:
            for _ in range(burst + 5):
                await replace(RECONCILE, queue=policy.name).enqueue(conn, org)
    claimer = Claimer(calllog.database, policy, "paced")
    counted: dict[str, int] = {}
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        for job in await claimer.claim(64):
            counted[job.org_id] = counted.get(job.org_id, 0) + 1
    # One more may be due by its time, where a start is allowed every second.
    assert set(counted) == {"org_paced1", "org_paced2"}
    assert all(burst <= count <= burst + 1 for count in counted.values()), counted


async def test_reconciliations_of_one_organization_reach_the_provider_at_their_pace(
    calllog: CallLog, retell: RetellProvider
) -> None:
    org = await calllog.organization(base_url=retell.url, provider="retell")
    rate = calllog.handlers.queues[RECONCILE.queue].rate_per_org
    for _ in range(rate.burst + 4):
        await ask(calllog, org.id, "retell")
    await until_asked(retell, rate.burst)
    waiting = await calllog.database.system_fetchrow(
        "select count(*) filter (where j.state = 'queued') as waiting from job j where j.org_id = $1", org.id
    )
    assert waiting
    assert (len(retell.asked), waiting["waiting"]) == (rate.burst, 4)
    async with calllog.database.system_transaction() as conn:
        await conn.execute("delete from job where org_id = $1 and state = 'queued'", org.id)


async def until_asked(retell: RetellProvider, times: int) -> None:
    async def asked() -> bool:
        return len(retell.asked) >= times

    await eventually(asked)

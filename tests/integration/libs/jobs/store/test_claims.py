"""Which jobs are taken next: lanes, fairness between organizations, concurrency limits, pacing, pause."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from libs.jobs import Lane, QueuePolicy, Rate, enqueue_many
from libs.jobs.store import leases
from libs.jobs.store.claims import Claimer
from tests.integration.libs.jobs.conftest import Jobs, kind


async def fill(jobs: Jobs, count: int, org_id: str = "org_a", lane: Lane = Lane.NORMAL) -> None:
    async with jobs.db.transaction(org_id) as conn:
        await enqueue_many(conn, [kind("k").new(org_id, {"n": n}, lane=lane) for n in range(count)])


def claimer(jobs: Jobs, worker: str = "w1", **limits: Any) -> Claimer:
    return Claimer(jobs.db, QueuePolicy("default", **limits), worker)


async def test_urgent_work_first_but_the_low_lane_is_never_starved(jobs: Jobs) -> None:
    for lane in Lane:
        await fill(jobs, 40, lane=lane)
    taking = claimer(jobs)
    lanes = [[job.lane for job in await taking.claim(4)] for _ in range(8)]
    assert lanes[:7] == [[Lane.HIGH] * 4] * 7
    assert lanes[7] == [Lane.LOW] * 4


async def test_within_an_organization_the_oldest_come_first(jobs: Jobs) -> None:
    await fill(jobs, 50)
    taking = claimer(jobs)
    order = [job.args["n"] for _ in range(5) for job in await taking.claim(10)]
    assert order == list(range(50))
    assert await taking.claim(10) == []


async def test_a_flood_of_one_organization_leaves_room_for_the_others(jobs: Jobs) -> None:
    await fill(jobs, 1000, "org_flood")
    for number in range(5):
        await fill(jobs, 10, f"org_{number}")
    taking = claimer(jobs)
    first_claims = [job.org_id for _ in range(4) for job in await taking.claim(32)]
    shares = Counter(first_claims)
    assert all(shares[f"org_{number}"] == 10 for number in range(5))


async def test_equal_backlogs_get_equal_shares(jobs: Jobs) -> None:
    for number in range(3):
        await fill(jobs, 200, f"org_{number}")
    taking = claimer(jobs)
    shares = Counter([job.org_id for _ in range(9) for job in await taking.claim(32)])
    assert max(shares.values()) - min(shares.values()) <= 16


async def test_many_organizations_are_served_in_turn(jobs: Jobs) -> None:
    for number in range(40):
        await fill(jobs, 20, f"org_{number:02}")
    taking = claimer(jobs)
    seen = Counter([job.org_id for _ in range(5) for job in await taking.claim(32)])
    assert len(seen) == 40
    assert set(seen.values()) == {4}


async def test_two_claimers_never_take_the_same_job(jobs: Jobs) -> None:
    await fill(jobs, 400)
    claimers = [claimer(jobs, f"w{number}") for number in range(4)]
    taken: list[str] = []

    async def drain(taking: Claimer) -> None:
        while found := await taking.claim(16):
            taken.extend(job.id for job in found)

    await asyncio.gather(*(drain(taking) for taking in claimers))
    assert len(taken) == len(set(taken)) == 400


async def test_jobs_of_the_service_itself_are_claimed_too(jobs: Jobs) -> None:
    async with jobs.db.system_transaction() as conn:
        await enqueue_many(conn, [kind("k").new("")])
    assert [job.org_id for job in await claimer(jobs).claim(8)] == [""]


async def test_a_queue_runs_at_most_its_limit_over_all_instances(jobs: Jobs) -> None:
    await fill(jobs, 20)
    one, two = claimer(jobs, "w1", max_running=5), claimer(jobs, "w2", max_running=5)
    held = [*await one.claim(3), *await two.claim(8)]
    assert len(held) == 5
    assert await one.claim(8) == []
    await leases.complete_many(jobs.db, [(held[0], None), (held[1], None)])
    assert len(await one.claim(8)) == 2


async def test_an_organization_runs_at_most_its_limit_in_all_lanes(jobs: Jobs) -> None:
    for lane in Lane:
        await fill(jobs, 20, "org_a", lane)
    await fill(jobs, 20, "org_b")
    shares = Counter(job.org_id for job in await claimer(jobs, max_running_per_org=3).claim(32))
    assert shares == {"org_a": 3, "org_b": 3}
    assert await claimer(jobs, "w2", max_running_per_org=3).claim(32) == []


async def test_starts_are_paced_per_queue(jobs: Jobs) -> None:
    await fill(jobs, 20)
    taking = claimer(jobs, rate=Rate(20, 1.0, burst=2))
    assert len(await taking.claim(8)) == 2
    assert await taking.claim(8) == []
    assert taking.retry_in is not None
    assert 0 < taking.retry_in <= 0.06
    await asyncio.sleep(taking.retry_in)
    assert len(await taking.claim(8)) == 1


async def test_starts_are_paced_per_organization(jobs: Jobs) -> None:
    await fill(jobs, 5, "org_a")
    await fill(jobs, 5, "org_b")
    taking = claimer(jobs, rate_per_org=Rate(1, 60.0))
    assert Counter(job.org_id for job in await taking.claim(8)) == {"org_a": 1, "org_b": 1}
    assert await taking.claim(8) == []
    assert taking.retry_in == pytest.approx(60, abs=2)


@pytest.mark.parametrize(("paused", "taken"), [("", 0), ("org_a", 5)])
async def test_a_pause_holds_everyone_or_one_organization(jobs: Jobs, paused: str, taken: int) -> None:
    await fill(jobs, 5, "org_a")
    await fill(jobs, 5, "org_b")
    await jobs.db.system_fetch("insert into job_pause (queue, org_id) values ('default', $1)", paused)
    assert len(await claimer(jobs).claim(32)) == taken


async def test_a_claim_passes_over_what_someone_else_holds(jobs: Jobs) -> None:
    await fill(jobs, 3)
    async with jobs.db.system_transaction() as conn:
        await conn.execute("select 1 from job order by run_at, id limit 1 for update")
        async with asyncio.timeout(2):
            taken = await claimer(jobs).claim(8)
    assert [job.args["n"] for job in taken] == [1, 2]


@pytest.mark.parametrize("policy", [QueuePolicy("default"), QueuePolicy("default", max_running=100)])
async def test_a_claim_after_idle_ones_is_shared_too(jobs: Jobs, policy: QueuePolicy) -> None:
    claimer = Claimer(jobs.db, policy, "w")
    assert await claimer.claim(16) == []
    for org, count in (("org_a", 40), ("org_b", 40), ("org_c", 1)):
        for _ in range(count):
            await jobs.add("k", org)
    taken = Counter(job.org_id for job in await claimer.claim(16))
    assert taken["org_c"] == 1
    assert taken["org_b"] >= 4


@pytest.mark.parametrize("limits", [{}, {"max_running": 5}, {"max_running": 1}, {"max_running_per_org": 1}])
@pytest.mark.parametrize("lane", list(Lane))
async def test_a_suspect_of_any_lane_is_claimed_once_and_stops_no_one(
    jobs: Jobs, lane: Lane, limits: dict[str, Any]
) -> None:
    suspect = await jobs.add("k", "org_a", lane=lane)
    await jobs.db.system_fetch("update job set stalls = 2")
    others = [await jobs.add("k", org_id) for org_id in ("org_a", "org_b", "org_c")]
    worker, claimed = claimer(jobs, **limits), list[str]()
    for _ in range(12):
        taken = await worker.claim(8)
        claimed += [job.id for job in taken]
        for job in taken:
            await leases.complete_many(jobs.db, [(job, None)])
    assert sorted(claimed) == sorted([suspect, *others])

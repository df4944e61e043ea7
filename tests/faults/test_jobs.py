"""The quick set of the queue's fault runs: at least 20 kills and 2,000 writes. The full set is `make faults`."""

from __future__ import annotations

from tests.faults import jobs


async def test_workers_killed_paused_and_their_stores_upset_lose_and_double_nothing() -> None:
    outcome = await jobs.kill_workers(kills=20, writes=2_000, rate=50.0, seed=7)
    assert outcome.problems == [], outcome.line()


async def test_losing_nats_and_its_store_loses_nothing_and_delays_little() -> None:
    outcome = await jobs.lose_nats_for_a_while(writes=200, rate=50.0)
    assert outcome.problems == [], outcome.line()


async def test_killing_postgresql_loses_nothing_that_was_acknowledged() -> None:
    outcome = await jobs.kill_postgres(kills=1, writes=500, rate=50.0)
    assert outcome.problems == [], outcome.line()


async def test_a_flood_of_one_organization_does_not_hold_up_another() -> None:
    outcome = await jobs.flood_of_one_organization(flood=10_000)
    assert outcome.problems == [], outcome.line()


async def test_a_poison_job_is_quarantined_alone() -> None:
    outcome = await jobs.poison_among_others(others=60, seconds=0.05)
    assert outcome.problems == [], outcome.line()

"""The quick set of the suite's fault runs. Its bounds are generous, for a busy machine; `make faults` asks for the
promised ones."""

from __future__ import annotations

from pathlib import Path

from tests.faults.caches import QUICK, check_caches
from tests.faults.frozen import GENEROUS, freeze_and_kill
from tests.faults.overload import flood_of_requests
from tests.faults.redis_outage import GENEROUS as PATIENT
from tests.faults.redis_outage import lose_redis
from tests.faults.replicas import Limits, kill_replicas
from tests.faults.rolling import restart_everything
from tests.faults.sockets import cut_sockets
from tests.faults.suite import kill_processes
from tests.faults.upgrade import release_before, upgrade


async def test_killing_every_kind_of_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await kill_processes(tmp_path, kills=20, writes=600, rate=20.0, seed=7, pause_seconds=20.0)
    assert outcome.problems == [], outcome.line()
    # That the run was one. A busy machine acknowledges a tenth of what a quiet one does: all wait for what was killed.
    assert outcome.figures["acknowledged"] > 20


async def test_with_two_of_everything_customers_hardly_notice_a_kill(tmp_path: Path) -> None:
    generous = Limits(failed_percent=2.0, window_seconds=3.0, ready_seconds=6.0)
    outcome = await kill_replicas(tmp_path, kills=13, rate=25.0, seed=7, limits=generous)
    assert outcome.problems == [], outcome.line()
    writes = outcome.figures["requests"] // 2
    # The run is as long as the kills take: a fast machine asks less often.
    assert writes > 100
    assert outcome.figures["acknowledged"] > 0.95 * writes


async def test_a_rolling_restart_of_everything_fails_no_request_and_loses_no_event(tmp_path: Path) -> None:
    outcome = await restart_everything(tmp_path, rate=20.0)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["replaced"] >= 26
    assert outcome.figures["acknowledged"] > 100


async def test_cut_sockets_and_killed_instances_lose_and_double_no_event(tmp_path: Path) -> None:
    outcome = await cut_sockets(tmp_path, cuts=60, listeners=6, kills=3, seed=7)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["returns"] >= 60
    assert outcome.figures["events"] > 20


async def test_no_fault_makes_a_cached_answer_older_than_its_bound(tmp_path: Path) -> None:
    outcome = await check_caches(tmp_path, QUICK, seed=7)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["acknowledged"] > 20
    assert outcome.figures["reads"] > 500


async def test_a_frozen_service_a_frozen_database_and_a_killed_one_are_refused_fast_and_come_back(
    tmp_path: Path,
) -> None:
    outcome = await freeze_and_kill(tmp_path, seconds=4.0, rate=20.0, limits=GENEROUS)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["acknowledged"] > 100


async def test_a_flood_of_one_organization_is_refused_and_nine_others_are_served(tmp_path: Path) -> None:
    outcome = await flood_of_requests(tmp_path, flood=2_000, others=20, success_percent=90.0)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["others asked"] == 180


async def test_without_redis_or_with_a_frozen_one_customers_and_their_sessions_go_on(tmp_path: Path) -> None:
    """K6 and K7 of the promises, with the times of a busy machine."""
    outcome = await lose_redis(tmp_path, seconds=4.0, rate=25.0, promise=PATIENT)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["requests"] > 200


async def test_the_release_before_the_newest_migration_stands_beside_this_one(tmp_path: Path) -> None:
    outcome = await upgrade(tmp_path, release_before(), rate=10.0, mixed_seconds=15.0)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["while mixed"] >= 10

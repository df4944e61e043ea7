"""The fault runs of the job queue (promises K1 for workers, K2, K3, K5, L7, L8), each against real
processes on durable stores, with a history of what was acknowledged and a checker that reads PostgreSQL afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from libs.jobs import JobKind, NewJob, enqueue_many
from libs.jobs.admin.queries import replay
from tests.faults.scene import Scene, scene
from tests.faults.worker import SERVICE

PAUSE_SECONDS = 40.0
RESTART_SECONDS = 15.0
DELIVERED_SECONDS = 5.0


@dataclass
class Outcome:
    """What a run found: problems (empty is good) and the figures of its summary."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        figures = ", ".join(f"{name} {value:g}" for name, value in self.figures.items())
        return f"{figures}: " + ("; ".join(self.problems) if self.problems else "0 lost, 0 doubled")


async def kill_workers(kills: int, writes: int, rate: float, seed: int) -> Outcome:
    """kill -9 at random instants under acknowledged writes; meanwhile NATS loses its store, and one worker is stopped
    in the middle of its jobs for 40 s and goes on: others finished them, it none. Afterwards effects equal jobs."""
    random.seed(seed)
    outcome = Outcome()
    async with scene(workers=4) as here:
        seconds = max(writes / rate, PAUSE_SECONDS + 2.0)
        begun = time.monotonic()
        async with asyncio.TaskGroup() as acts:
            acts.create_task(here.write(writes, rate))
            acts.create_task(_kill(here, kills, seconds))
            pausing = acts.create_task(_pause(here))
            acts.create_task(_lose_nats(here, seconds / 3))
        settled = await here.until_quiet(60.0)
        quarantined = await _replay_quarantined(here)
        outcome.problems = await here.problems() + await _fenced(here, *pausing.result())
        restarts = await here.restarts()
        p99 = restarts[int(len(restarts) * 0.99)] if restarts else 0.0
        if p99 > RESTART_SECONDS:
            outcome.problems.append(f"restart p99 {p99:.1f} s")
        outcome.figures = {
            "kills": kills, "writes": here.history.invoked, "acknowledged": len(here.history.ok),
            "jobs of the paused worker": len(pausing.result()[1]),
            "jobs restarted": len(restarts), "restart p99 s": round(p99, 1),
            "outside calls repeated": here.repeated_outside(), "quarantined and replayed": quarantined,
            "settled s": round(settled, 1), "seconds": round(time.monotonic() - begun),
        }  # fmt: skip
    return outcome


async def _kill(here: Scene, kills: int, seconds: float) -> None:
    """The first three of the four, at random instants that fill the time; the fourth is the one that is paused."""
    moments = sorted(random.uniform(2.0, seconds) for _ in range(kills))
    begun = time.monotonic()
    for moment in moments:
        await asyncio.sleep(max(0.0, begun + moment - time.monotonic()))
        await asyncio.to_thread(here.fleet.kill, random.randrange(3))


async def _pause(here: Scene) -> tuple[str, list[str]]:
    """Stop the fourth worker while it runs jobs, let it go on after a while; its name and those jobs."""
    await asyncio.sleep(2.0)
    while True:
        name = here.fleet.pause(3)
        await asyncio.sleep(0.3)  # what it had sent to PostgreSQL takes effect
        if held := await here.running(name):
            break
        here.fleet.resume(3)
        await asyncio.sleep(random.uniform(0.0, 0.1))
    await asyncio.sleep(PAUSE_SECONDS)
    here.fleet.resume(3)
    return name, held


async def _fenced(here: Scene, name: str, held: list[str]) -> list[str]:
    """What the paused worker did about jobs that were no longer its own."""
    rows = await here.db.system_fetch("select id, worker from job where id = any($1)", held)
    finished = [row["id"] for row in rows if row["worker"] == name]
    stalled = await here.db.system_fetchval(
        "select count(distinct job_id) from job_attempt where job_id = any($1) and worker = $2 and outcome = 'stalled'",
        held, name,
    )  # fmt: skip
    found = [f"the paused worker finished {len(finished)} of {len(held)} jobs it had lost"] if finished else []
    return found + ([] if stalled == len(held) else [f"only {stalled} of {len(held)} jobs were taken from it"])


async def _lose_nats(here: Scene, after: float) -> None:
    await asyncio.sleep(after)
    await here.lose_nats(1.0)


async def _replay_quarantined(here: Scene) -> int:
    """A job that happened to run under three killed workers is a dead letter: replay it, as an operator would."""
    async with here.db.system_transaction() as conn:
        count = await replay(conn, SERVICE, None, [], "", "", "job_stalled")
    await here.until_quiet(30.0)
    return count


async def kill_postgres(kills: int, writes: int, rate: float) -> Outcome:
    """PostgreSQL is killed with -9 under writes and running jobs: what was acknowledged is there afterwards, a write
    without an answer happened once or not at all, and every job of what is there has its one effect."""
    outcome = Outcome()
    async with scene(workers=2) as here:
        await here.write(20, 50.0)
        await here.until_quiet(30.0)
        async with asyncio.TaskGroup() as acts:
            acts.create_task(here.write(writes, rate))
            acts.create_task(_kill_postgres(here, kills, writes / rate))
        settled = await here.until_quiet(90.0)
        replayed = await _replay_quarantined(here)
        outcome.problems = await here.problems()
        outcome.figures = {
            "kills of PostgreSQL": kills, "writes": here.history.invoked, "acknowledged": len(here.history.ok),
            "without an answer": len(here.history.unknown), "quarantined and replayed": replayed,
            "settled s": round(settled, 1),
        }  # fmt: skip
    return outcome


async def _kill_postgres(here: Scene, kills: int, seconds: float) -> None:
    postgres = here.stores.all["postgres"]
    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        postgres.kill()
        postgres.start()  # here, not in a thread: the stores die with the thread that started them


async def lose_nats_for_a_while(writes: int, rate: float) -> Outcome:
    """NATS is killed and its store deleted in the middle of writes: none fails, and all is delivered within 5 s of its
    return."""
    outcome = Outcome()
    async with scene(workers=2) as here:
        await here.write(20, 50.0)
        await here.until_quiet(30.0)
        async with asyncio.TaskGroup() as acts:
            acts.create_task(here.write(writes, rate))
            acts.create_task(here.lose_nats(writes / rate + 1.0))
        settled = await here.until_quiet(60.0)
        outcome.problems = await here.problems()
        if here.history.unknown:
            outcome.problems.append(f"{len(here.history.unknown)} writes failed")
        if settled > DELIVERED_SECONDS:
            outcome.problems.append(f"delivered {settled:.1f} s after its return")
        outcome.figures = {
            "writes without NATS": writes, "slowest write s": round(here.history.slowest, 2),
            "delivered s after its return": round(settled, 1),
        }  # fmt: skip
    return outcome


SLOW, POISON = JobKind("effect.slow", service=SERVICE), JobKind("effect.poison", service=SERVICE)


async def flood_of_one_organization(flood: int) -> Outcome:
    """Many jobs of one organization, then ten of another: these wait at most 2 s at p95."""
    outcome = Outcome()
    async with scene(workers=1) as here:
        await here.write(20, 50.0)
        await here.until_quiet(30.0)
        await _enqueue(here, "org_flood", [SLOW.new("org_flood", {"seconds": 0.01})] * flood)
        await _enqueue(here, "org_small", [SLOW.new("org_small", {"seconds": 0.01})] * 10)
        rows: list[Any] = []
        while len(rows) < 10:
            await asyncio.sleep(0.1)
            rows = await here.db.system_fetch(
                "select extract(epoch from started_at - created_at)::float8 as wait from job"
                " where org_id = 'org_small' and state = 'completed' order by 1"
            )
        left = await here.db.system_fetchval("select count(*) from job where state in ('queued', 'running')")
        p95 = rows[9]["wait"]
        if p95 > 2.0 or left < flood / 2:
            outcome.problems.append("the small organization waited behind the flood")
        outcome.figures = {"flood": flood, "still waiting": left, "the other's wait p95 s": round(p95, 2)}
    return outcome


async def poison_among_others(others: int, seconds: float) -> Outcome:
    """A job that kills its worker, among others: quarantined after three, the others complete, at most 5 % later when
    they take long enough for that to be measured (`others` of `seconds` each)."""
    outcome, took = Outcome(), []
    for poisoned in (False, True):
        async with scene(workers=2) as here:
            await here.write(20, 50.0)
            await here.until_quiet(30.0)
            begun = time.monotonic()
            jobs = [SLOW.new("org_a", {"seconds": seconds}) for _ in range(others)]
            poison = [POISON.new("org_a")] if poisoned else []
            await _enqueue(here, "org_a", [*jobs[: others // 4], *poison, *jobs[others // 4 :]])
            await _until_others_done(here, others, others * seconds + 90.0)
            took.append(time.monotonic() - begun)
            await here.until_quiet(60.0)
            if poisoned:
                row = await here.db.system_fetchrow("select state, stalls from job where kind = 'effect.poison'")
                if row is None or (row["state"], row["stalls"]) != ("failed", 3):
                    outcome.problems.append("the poison job was not quarantined after three stalls")
                failed = await here.db.system_fetchval(
                    "select count(*) from job where state = 'failed' and kind <> 'effect.poison'"
                )
                outcome.problems += [f"{failed} other jobs quarantined"] if failed else []
    outcome.figures = {
        "others": others, "without poison s": round(took[0], 1), "with s": round(took[1], 1),
        "later %": round((took[1] / took[0] - 1) * 100, 1),
    }  # fmt: skip
    return outcome


async def _until_others_done(here: Scene, others: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while await here.db.system_fetchval("select count(*) from effect where kind = 'slow'") < others:
        if time.monotonic() > deadline:
            raise TimeoutError("the other jobs did not end")
        here.fleet.revive()
        await asyncio.sleep(0.05)


async def _enqueue(here: Scene, org_id: str, jobs: list[NewJob]) -> None:
    for start in range(0, len(jobs), 1000):
        async with here.db.transaction(org_id) as conn:
            await enqueue_many(conn, jobs[start : start + 1000])

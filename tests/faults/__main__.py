"""`make faults`: the full set (200 kills, 20,000 writes); `--quick` for the set that `make check` runs.

The last line is one summary; the exit code is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.faults import caches, frozen, jobs, overload, redis_outage, replicas, rolling, sockets, suite, upgrade
from tests.faults.jobs import Outcome


async def run(quick: bool, seed: int, folder: Path) -> int:
    kills, writes, rate = (20, 2_000, 50.0) if quick else (200, 20_000, 80.0)
    runs = {
        "workers killed": jobs.kill_workers(kills, writes, rate, seed),
        "NATS lost": jobs.lose_nats_for_a_while(200 if quick else 1_000, 50.0),
        "PostgreSQL killed": jobs.kill_postgres(1 if quick else 5, 500 if quick else 4_000, 50.0),
        "flood": jobs.flood_of_one_organization(10_000 if quick else 50_000),
        "poison": jobs.poison_among_others(*((60, 0.05) if quick else (999, 1.0))),
        "every process killed": suite.kill_processes(
            folder / "one", *((20, 600) if quick else (100, 4_000)), 20.0, seed, pause_seconds=20.0 if quick else 40.0
        ),
        "two of everything": replicas.kill_replicas(folder / "two", 13 if quick else 52, 50.0, seed),
        "sockets": sockets.cut_sockets(folder / "six", *((60, 6, 3) if quick else (1_000, 20, 20)), seed),
        "caches": caches.check_caches(folder / "four", caches.QUICK if quick else caches.FULL, seed),
        "frozen": frozen.freeze_and_kill(
            folder / "seven", *((5.0, 20.0, frozen.GENEROUS) if quick else (30.0, 50.0, frozen.PROMISED))
        ),
        "overload": overload.flood_of_requests(
            folder / "seven", *((2_000, 20, 90.0) if quick else (20_000, 200, 99.0))
        ),
        "Redis lost": redis_outage.lose_redis(
            folder / "eight", 4.0 if quick else 60.0, 50.0, redis_outage.GENEROUS if quick else redis_outage.Promise()
        ),
        "rolling restart": rolling.restart_everything(folder / "three", 50.0 if quick else 200.0),
        "upgrade": upgrade.upgrade(folder / "five", upgrade.release_before(), 20.0, 15.0 if quick else 120.0),
    }
    outcomes: dict[str, Outcome] = {}
    for name, running in runs.items():
        outcomes[name] = await running
        say(f"{name}: {outcomes[name].line()}")
    late = outcomes["poison"].figures["later %"]
    if not quick and late > 5.0:
        outcomes["poison"].problems.append(f"the others ended {late} % later")
    broken = [name for name, outcome in outcomes.items() if outcome.problems]
    killed = sum(outcome.figures.get("kills", 0.0) for outcome in outcomes.values())
    acknowledged = sum(outcome.figures.get("acknowledged", 0.0) for outcome in outcomes.values())
    verdict = f"BROKEN: {', '.join(broken)}" if broken else "0 lost, 0 doubled"
    say(f"faults: {killed:g} kills, {acknowledged:g} acknowledged writes, seed {seed}: {verdict}")
    return 1 if broken else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="echosenseix-faults-") as folder:
        return asyncio.run(run(options.quick, options.seed, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())

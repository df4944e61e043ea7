"""`make bench-jobs`: our queue beside BullMQ from npm, in one run on this machine, each with its durability stated.

Every figure includes claim, a handler that does nothing, and finish, and is the median of three runs in turn. CPU is
that of all processes of a side, stores included. Last comes the cost of a job with up to a million queued over 500
organizations. The last line is one summary; the exit code is 1 when a goal was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from bench.jobs.depth import depth_costs
from bench.jobs.restart import seconds_to_restart
from bench.jobs.sides import BullMq, Load, Ours, Result, Side
from bench.jobs.stage import prepare, stores_of_our_own

SINGLE, TENANT, BULK = Load(12_000), Load(6_000, own_commit=False), Load(40_000, per_commit=100)
ROUNDS = 3
PACED, BURST = Load(1_500, rate=300.0), Load(5_000, per_commit=100, delay=3.0)


@dataclass(frozen=True)
class Goal:
    """One line of the verdict."""

    text: str
    met: bool


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the jobs: to see that it runs")
    options = parser.parse_args(argv)
    with stores_of_our_own(("postgres", "nats", "redis")) as stores:
        stage = asyncio.run(prepare(stores))
        ours, always = Ours(stage), BullMq(stores, "always")
        say(f"{ours.name}: {ours.durability}\n{always.name}: {always.durability}\n")
        loads = {"single": SINGLE, "bulk of 100": BULK, "paced 300/s": PACED, "5,000 due at once": BURST}
        goals = compare(ours, always, {name: shorter(load, options.short) for name, load in loads.items()})
        tenant = ours.run(shorter(TENANT, options.short))
        say(row("single, in a tenant transaction", ours.name, tenant))
        everysec = BullMq(stores, "everysec")
        say(f"\n{everysec.name}: {everysec.durability}")
        for name in ("single", "bulk of 100"):
            say(row(name, everysec.name, everysec.run(shorter(loads[name], options.short))))
        restart = seconds_to_restart(stage)
        goals.append(Goal(f"a killed worker's job restarts after {restart:.1f} s (15)", restart <= 15.0))
        depths = (0, 10_000, 100_000 if options.short else 1_000_000)
        costs = asyncio.run(depth_costs(stage, depths))
        say("\nCPU of claim and finish a job, by depth over 500 organizations: "
            + ", ".join(f"{depth:,}: {micros:.0f} µs" for depth, micros in costs.items()))  # fmt: skip
        ratio = costs[depths[-1]] / costs[depths[0]]
        goals.append(Goal(f"cost a job at {depths[-1]:,} queued {ratio:.2f}x of empty (1.25)", ratio <= 1.25))
    return verdict(goals)


def shorter(load: Load, short: bool) -> Load:
    scale = 10 if short and load.delay == 0 else 1
    return Load(load.count // scale, load.per_commit, load.rate, load.delay, load.own_commit)


def compare(ours: Side, theirs: Side, loads: dict[str, Load]) -> list[Goal]:
    """Run each load on both sides in turn, so often; what counts is the median run of each side."""
    results: dict[str, tuple[Result, Result]] = {}
    for name, load in loads.items():
        runs = [(ours.run(load), theirs.run(load)) for _ in range(ROUNDS)]
        results[name] = (median([run[0] for run in runs]), median([run[1] for run in runs]))
        for side, result in zip((ours, theirs), results[name], strict=True):
            say(row(name, side.name, result))
    (single, their_single), (bulk, their_bulk) = results["single"], results["bulk of 100"]
    paced, burst = results["paced 300/s"][0], results["5,000 due at once"][0]
    return [
        ratio_goal("single", single, their_single, rate=1.5, cpu=1.2),
        ratio_goal("bulk", bulk, their_bulk, rate=3.0, cpu=2.0),
        Goal(f"single enqueue {single.enqueued_per_second:,.0f}/s (2,000)", single.enqueued_per_second >= 2_000),
        Goal(f"enqueue to start p50 {paced.late_p50_ms:.1f} ms (5)", paced.late_p50_ms <= 5.0),
        Goal(f"p99 {paced.late_p99_ms:.1f} ms (30)", paced.late_p99_ms <= 30.0),
        Goal(f"5,000 due at once, the last {burst.late_max_ms:.0f} ms late (250)", burst.late_max_ms <= 250.0),
    ]


def median(runs: Sequence[Result]) -> Result:
    return Result(*(statistics.median(values) for values in zip(*map(astuple, runs), strict=True)))


def ratio_goal(name: str, ours: Result, theirs: Result, *, rate: float, cpu: float) -> Goal:
    """At least so many times as many jobs a second, and a job at most such a part of the CPU."""
    by_rate, by_cpu = ours.per_second / theirs.per_second, theirs.cpu_micros / ours.cpu_micros
    text = f"{name} {by_rate:.2f}x by rate ({rate:g}x), {by_cpu:.2f}x by CPU ({cpu:g}x)"
    return Goal(text, by_rate >= rate and by_cpu >= cpu)


def row(name: str, side: str, result: Result) -> str:
    return (
        f"{name:32} {side:18} {result.per_second:9,.0f} jobs/s {result.enqueued_per_second:9,.0f} enqueues/s "
        f"{result.cpu_micros:6,.0f} µs CPU  late p50 {result.late_p50_ms:8,.1f} p99 {result.late_p99_ms:8,.1f} "
        f"max {result.late_max_ms:8,.1f} ms"
    )


def verdict(goals: Sequence[Goal]) -> int:
    say("")
    for goal in goals:
        say(f"{'ok  ' if goal.met else 'MISS'} {goal.text}")
    missed = [goal for goal in goals if not goal.met]
    say(f"bench-jobs: {len(goals) - len(missed)} of {len(goals)} goals met; " + "; ".join(g.text for g in goals[:2]))
    return 1 if missed else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

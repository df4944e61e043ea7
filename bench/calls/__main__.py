"""What a call costs: `python -m bench.calls [--rate N] [--seconds N] [--trace] [--alone] [--grown N]`.

Posts signed post-call reports to the running suite and follows each one until its event, its rating and the
announcement of both. Prints per call the CPU of every process (from /proc) and the commits (pg_stat_database), less
what the idle suite spends, and the statements with --trace (pg_stat_statements). Then, unless --alone, the same of a
monolith in Node that does the same. With --grown the organization has so many calls before (bench.calls.grown). CPU is
comparable on a busy machine; times are not. Start the suite with LIMITS=bench.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg

from bench.calls.grown import fill
from bench.calls.monolith import Measured
from bench.calls.monolith import measure as measure_monolith
from bench.calls.posting import Posting
from bench.journey import Customer
from local.demo.envelope import post_call, signed
from local.demo.listening import Listener

RUN = Path(__file__).resolve().parents[2] / "var" / "run.json"
# Calls per second that are offered.
RATE = 100
# Seconds of load, and of the idle suite that is subtracted.
LOAD_SECONDS, IDLE_SECONDS = 20.0, 5.0
# Calls before the first measurement, which open connections and fill caches.
WARM_UP = 50
# Times the monolith's CPU that ours may take; it promises more.
MOST_OF_MONOLITH = 1.5
# Seconds until the last call must be rated and announced.
PATIENCE_SECONDS = 120.0
# Seconds after which pg_stat_database shows what ended before.
_STATISTICS_SECONDS = 2.0
_COMMITS = "select sum(xact_commit)::bigint from pg_stat_database where datname not in ('template0', 'template1')"
_STATEMENTS = """select r.rolname as role, s.query, sum(s.calls)::bigint as calls, sum(s.total_exec_time) as ms
    from extensions.pg_stat_statements s join pg_roles r on r.oid = s.userid group by 1, 2"""


class Ear(Listener):
    """Notes when a conversation's call.ended, and when its call's usage.recorded was heard."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        super().__init__(url, token, channel)
        self.ended: dict[str, float] = {}
        self.rated: set[str] = set()

    async def on_publication(self, context: Any) -> None:
        event = context.pub.data
        if event["type"] == "call.ended":
            self.ended.setdefault(event["data"]["externalCallId"], time.perf_counter())
        elif event["type"] == "usage.recorded" and event["data"].get("callId"):
            self.rated.add(event["data"]["callId"])


@dataclass
class Spent:
    """Seconds of CPU by process, and commits, at one moment."""

    cpu: dict[str, float]
    commits: int
    at: float = field(default_factory=time.perf_counter)

    def since(self, earlier: Spent) -> Spent:
        cpu = {name: used - earlier.cpu.get(name, 0.0) for name, used in self.cpu.items()}
        return Spent(cpu, self.commits - earlier.commits, self.at - earlier.at)


def cpu_seconds() -> dict[str, float]:
    """utime + stime of every process of run.json and of the stores with their children, ended ones included."""
    run = json.loads(RUN.read_text("utf-8"))
    used: defaultdict[str, float] = defaultdict(float)
    for process in run["processes"]:
        used[f"{process['service']} {process['role']}"] += _ticks(process["pid"], reaped=False)
    for name, store in run["stores"].items():
        if pid := store.get("pid"):
            used[name] += _ticks(pid, reaped=True) + sum(_ticks(child, reaped=False) for child in _children(pid))
    return {name: ticks / os.sysconf("SC_CLK_TCK") for name, ticks in used.items()}


def _ticks(pid: int, *, reaped: bool) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11 : 15 if reaped else 13]))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


class Bench:
    def __init__(self, database: asyncpg.Connection[Any]) -> None:
        self._database = database
        self.webhook: list[float] = []
        # Deliveries that were answered 503 and sent again.
        self.refused = 0
        self.sent: dict[str, float] = {}

    async def open(self) -> None:
        customer = self._customer = await Customer.sign_up()
        self._agent, self._secret = await customer.connect_agent()
        token = await customer.api.post("/api/realtime/token", {}, expect=200, key=False)
        organization = next(name for name in token["channels"] if name.endswith(":calls"))
        usage = next((name for name in token["channels"] if name.endswith((":billing", ":usage"))), "")
        self.ears = [Ear(token["url"], token["token"], name) for name in (organization, usage) if name]
        for ear in self.ears:
            await ear.start()
        self._posting = Posting(customer.api.url)

    async def close(self) -> None:
        for ear in self.ears:
            await ear.stop()
        self._posting.close()
        await self._customer.api.close()

    async def spent(self) -> Spent:
        await asyncio.sleep(_STATISTICS_SECONDS)
        return Spent(cpu_seconds(), await self._database.fetchval(_COMMITS))

    async def send(self, calls: int, rate: float) -> float:
        """Post this many at this rate and wait for all their effects; the seconds that it took."""
        started = time.perf_counter()
        rated = len(self.rated)
        async with asyncio.TaskGroup() as group:
            for number in range(calls):
                await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
                group.create_task(self._post())
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while len(self.ears[0].ended) < len(self.sent) or len(self.rated) - rated < calls:
            if time.perf_counter() > deadline:
                raise SystemExit(f"{len(self.rated) - rated} of {calls} calls were rated in time")
            await asyncio.sleep(0.05)
        return time.perf_counter() - started

    @property
    def rated(self) -> set[str]:
        return set().union(*(ear.rated for ear in self.ears))

    async def _post(self) -> None:
        conversation = f"conv_{secrets.token_hex(12)}"
        body, headers = signed(post_call(self._agent, conversation), self._secret)
        self.sent[conversation] = started = time.perf_counter()
        while True:
            status, answered = await self._posting.post(self._customer.webhook_path, body, headers)
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            # As a provider does with more than the suite can take.
            self.refused += 1
            await asyncio.sleep(float(answered["retry-after"]))
        if status != HTTPStatus.OK:
            raise SystemExit(f"a delivery was answered {status}")
        self.webhook.append(time.perf_counter() - started)

    async def statements(self) -> dict[tuple[str, str], tuple[int, float]]:
        rows = await self._database.fetch(_STATEMENTS)
        return {(row["role"], row["query"]): (row["calls"], row["ms"]) for row in rows}


async def measure(rate: float, seconds: float, trace: bool, grown: int) -> float:
    """Milliseconds of CPU a call."""
    run = json.loads(RUN.read_text("utf-8"))
    database = await asyncpg.connect(run["stores"]["postgres"]["adminUrl"])
    bench = Bench(database)
    await bench.open()
    await bench.send(WARM_UP, 20)
    if grown:
        await fill(database, grown)
        await bench.send(WARM_UP, 20)
    before = await bench.spent()
    await asyncio.sleep(IDLE_SECONDS)
    idle = (await bench.spent()).since(before)
    bench.webhook.clear()
    bench.refused = 0
    calls = int(rate * seconds)
    known = await bench.statements() if trace else {}
    before = await bench.spent()
    own = time.process_time()
    took = await bench.send(calls, rate)
    own = time.process_time() - own
    load = (await bench.spent()).since(before)
    cost = _report(bench, calls, took, load, idle)
    print(f"the load itself took {own / calls * 1000:.2f} ms of CPU a call")
    if trace:
        _report_statements(calls, known, await bench.statements())
    await bench.close()
    await database.close()
    return cost


def _report(bench: Bench, calls: int, took: float, load: Spent, idle: Spent) -> float:
    share = load.at / idle.at
    cpu = {name: (used - idle.cpu.get(name, 0.0) * share) / calls * 1000 for name, used in load.cpu.items()}
    commits = (load.commits - idle.commits * share) / calls
    last = list(bench.sent)[-calls:]
    visible = sorted(bench.ears[0].ended[name] - bench.sent[name] for name in last)
    print(f"{calls} calls in {took:.1f} s: {calls / took:.1f}/s, {bench.refused} sent again after a 503")
    print(f"CPU {sum(cpu.values()):.2f} ms a call, commits {commits:.2f} a call")
    print("  " + ", ".join(f"{name} {used:.2f}" for name, used in sorted(cpu.items(), key=lambda item: -item[1])))
    for name, values in (("webhook", sorted(bench.webhook)), ("visible", visible)):
        p50, p99 = values[len(values) // 2] * 1000, values[int(len(values) * 0.99)] * 1000
        print(f"{name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    return sum(cpu.values())


def _report_monolith(found: Measured, ours: float) -> None:
    print(f"monolith in Node: {found.per_second:.1f}/s")
    print(f"CPU {found.cpu_ms:.2f} ms a call, commits {found.commits:.2f} a call")
    print("  " + ", ".join(f"{name} {used:.2f}" for name, used in found.by_process.items()))
    print(f"webhook: p99 {found.webhook_p99_ms:.0f} ms; visible: p99 {found.visible_p99_ms:.0f} ms")
    print(f"ours is {ours / found.cpu_ms:.2f} times the monolith's CPU; goal {MOST_OF_MONOLITH:g}")


def _report_statements(
    calls: int, before: dict[tuple[str, str], tuple[int, float]], after: dict[tuple[str, str], tuple[int, float]]
) -> None:
    rows = []
    for key, (count, ms) in after.items():
        known_count, known_ms = before.get(key, (0, 0.0))
        rows.append((count - known_count, ms - known_ms, *key))
    for count, ms, role, query in sorted(rows, key=lambda row: -row[0])[:60]:
        if count >= calls / 20:
            print(f"{count / calls:6.2f}  {ms / calls:7.3f} ms  {role:18} {' '.join(query.split())[:110]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=LOAD_SECONDS)
    parser.add_argument("--grown", type=int, default=0, help="calls that the organization has before; 22 KiB each")
    parser.add_argument("--trace", action="store_true", help="also print the statements of a call")
    parser.add_argument("--alone", action="store_true", help="do not measure the monolith")
    given = parser.parse_args()
    ours = asyncio.run(measure(given.rate, given.seconds, given.trace, given.grown))
    if not given.alone:
        _report_monolith(measure_monolith(int(given.rate * given.seconds), given.rate, WARM_UP), ours)


if __name__ == "__main__":
    main()

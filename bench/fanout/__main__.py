"""`make bench-fanout`: our realtime beside Socket.IO with its redis-adapter, two server processes each, in one run.

It starts a suite of its own with two instances of realtime, and two Socket.IO servers on the Redis of that suite.
Counted is the CPU of the two server processes of a side (utime + stime), which a busy machine changes little. Our
events take the whole way from the commit; Socket.IO stores nothing. One process reads both sides' sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from bench.fanout.process import Process
from bench.http.__main__ import cpu_micros, free_port, spent_micros
from bench.node import installed
from local.demo.api import Api
from local.demo.console import Console
from local.demo.journey import Journey, sign_up
from local.runner.suite import Suite

HERE = Path(__file__).parent
# Sockets of the comparison, over both instances.
SOCKETS = 1_000
# Messages of the paced and of the burst load; a burst is one transaction.
PACED, PACED_RATE = 200, 20.0
BURSTS, BURST = 20, 100
# Events and rate of the measurement from commit to socket, and its sockets.
LATENCY_EVENTS, LATENCY_RATE, LATENCY_SOCKETS = 2_000, 200.0, 100
# Sockets of one instance, and of two that are idle.
CROWD, IDLE = 5_000, 10_000
# Events to the crowd.
CROWD_EVENTS, CROWD_RATE = 20, 1.0
# What the numbers must reach: times of the peer's cost, then milliseconds, KiB and seconds.
GOALS = {
    "paced, times": 1.6, "burst, times": 5.0, "accept, times": 3.0, "commit to socket p50 ms": -15.0,
    "commit to socket p99 ms": -60.0, "KiB a socket": -45.0, "crowd p99 ms": -200.0, "storm s": -30.0,
}  # fmt: skip


@dataclass
class Stage:
    """The running suite, a customer's token, and the processes beside it."""

    suite: Suite
    token: dict[str, Any]
    publisher: Process
    stack: ExitStack
    written: int = 0
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def org(self) -> str:
        return self.channel.split(":")[1]

    @property
    def channel(self) -> str:
        channels: list[str] = self.token["channels"]
        return next(name for name in channels if name.endswith(":agents"))

    @property
    def instances(self) -> list[dict[str, Any]]:
        return [one for one in self.suite.run["processes"] if one["service"] == "realtime" and one["ws"]]

    def crowd(self, urls: Sequence[str]) -> Process:
        clients = Process([sys.executable, "-m", "bench.fanout.clients"])
        self.stack.callback(clients.close)
        clients.ask(act="open", kind="ours", urls=list(urls), token=self.token["token"], channel=self.channel)
        return clients

    def publish(self, transactions: int, each: int, rate: float) -> list[float]:
        times: list[float] = self.publisher.ask(org=self.org, transactions=transactions, each=each, rate=rate)
        return times


def urls_of(instances: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{instance['ws']}/connection/websocket" for instance in instances]


def environment_of(pid: int) -> dict[str, str]:
    """Of a process of the suite that this bench started."""
    text = Path(f"/proc/{pid}/environ").read_text("utf-8")
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def pss_kib(pid: int) -> float:
    """What the process keeps in memory; shared pages are shared out."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def heard(clients: Process, count: int) -> None:
    got = clients.ask(act="heard", count=count, seconds=120)
    if got != count:
        left, ended = clients.ask(act="count"), clients.ask(act="ended")
        raise SystemExit(f"{got} of {count} messages came; {left} sockets are open; ended by {ended}")


def measure_load(clients: Process, pids: Sequence[int], send: Callable[[int], object]) -> dict[str, float]:
    """CPU µs of the processes: a connection with its subscription, and a delivery, paced and in bursts.

    `send` publishes so many messages. The next ones wait until all sockets have heard them, so that a
    reader that gets less of the machine than the servers does not fall behind."""
    clients.ask(act="join", count=20)
    begun = cpu_micros(pids)
    clients.ask(act="join", count=SOCKETS - 20)
    used = {"accept": spent_micros(begun, cpu_micros(pids)) / (SOCKETS - 20)}
    for name, transactions, each, rate in (("paced", PACED, 1, PACED_RATE), ("burst", BURSTS, BURST, 1.0)):
        for number in range(transactions + 2):
            # The first two are not measured.
            if number == 2:
                begun = cpu_micros(pids)
            next_at = time.monotonic() + 1 / rate
            send(each)
            heard(clients, each * SOCKETS)
            time.sleep(max(0.0, next_at - time.monotonic()))
        used[name] = spent_micros(begun, cpu_micros(pids)) / (transactions * each * SOCKETS)
    return used


def measure_ours(stage: Stage) -> dict[str, float]:
    clients = stage.crowd(urls_of(stage.instances))
    pids = [instance["pid"] for instance in stage.instances]
    used = measure_load(clients, pids, lambda each: stage.publish(1, each, 1.0))
    clients.close()
    return used


def measure_theirs(stage: Stage) -> dict[str, float]:
    secret, ports = secrets.token_hex(32), [free_port(), free_port()]
    redis = stage.suite.run["stores"]["redis"]["url"]
    servers = [
        Process(["node", "server.mjs", str(port), redis, secret], cwd=installed("fanout", HERE / "node"))
        for port in ports
    ]
    for server in servers:
        stage.stack.callback(server.close)
        server.line()
    clients, pids = Process([sys.executable, "-m", "bench.fanout.clients"]), [server.pid for server in servers]
    stage.stack.callback(clients.close)
    token = jwt.encode({"sub": "usr_1", "org": "org_1", "exp": time.time() + 300}, secret, algorithm="HS256")
    urls = [f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket" for port in ports]
    clients.ask(act="open", kind="theirs", urls=urls, token=token, channel="room")
    used = measure_load(clients, pids, lambda each: servers[0].tell(count=each, text="x" * 480))
    for process in (clients, *servers):
        process.close()
    return used


def latencies(clients: Process, times: Sequence[float]) -> list[float]:
    """Milliseconds from each commit to each timed socket. Positions follow each other, so they name the commits."""
    seen = {int(position): came for position, came in clients.ask(act="seen").items()}
    first = max(seen) - len(times) + 1
    return [1000 * (moment - times[position - first]) for position, came in seen.items() for moment in came]


def measure_latency(stage: Stage) -> dict[str, float]:
    clients = stage.crowd(urls_of(stage.instances))
    clients.ask(act="join", count=LATENCY_SOCKETS)
    stage.publish(100, 1, LATENCY_RATE)
    heard(clients, 100 * LATENCY_SOCKETS)
    clients.ask(act="seen")
    times = stage.publish(LATENCY_EVENTS, 1, LATENCY_RATE)
    heard(clients, LATENCY_EVENTS * LATENCY_SOCKETS)
    late = latencies(clients, times)
    clients.close()
    return {"commit to socket p50 ms": percentile(late, 0.5), "commit to socket p99 ms": percentile(late, 0.99)}


def measure_crowd(stage: Stage) -> dict[str, float]:
    """5,000 sockets on one instance: memory, and an event to all of them."""
    (instance, *_) = stage.instances
    before = pss_kib(instance["pid"])
    clients = stage.crowd(urls_of([instance]))
    clients.ask(act="join", count=CROWD)
    time.sleep(3)
    kib = (pss_kib(instance["pid"]) - before) / CROWD
    stage.publish(2, 1, CROWD_RATE)
    heard(clients, 2 * CROWD)
    clients.ask(act="seen")
    times = stage.publish(CROWD_EVENTS, 1, CROWD_RATE)
    heard(clients, CROWD_EVENTS * CROWD)
    late = latencies(clients, times)
    clients.close()
    return {"KiB a socket": kib, "crowd p99 ms": percentile(late, 0.99)}


def measure_storm(stage: Stage) -> dict[str, float]:
    """10,000 idle sockets; then one instance is killed, and its 5,000 come back."""
    clients = stage.crowd(urls_of(stage.instances))
    clients.ask(act="join", count=IDLE)
    time.sleep(3)
    idle = clients.ask(act="count")
    clients.ask(act="storm")
    killed = time.monotonic()
    stage.suite.kill(stage.instances[0]["name"], signal.SIGKILL)
    while clients.ask(act="count") > 0.9 * IDLE and time.monotonic() - killed < 10:
        time.sleep(0.05)
    while clients.ask(act="count") < IDLE and time.monotonic() - killed < 120:
        time.sleep(0.1)
    back = clients.ask(act="count")
    seconds = time.monotonic() - killed
    clients.close()
    if (idle, back) != (IDLE, IDLE):
        raise SystemExit(f"{idle} sockets were open, and {back} came back")
    return {"storm s": seconds}


def report(ours: Mapping[str, float], theirs: Mapping[str, float], figures: dict[str, float]) -> int:
    for name in ours:
        figures[f"{name}, times"] = theirs[name] / ours[name]
        print(f"{name:7} ours {ours[name]:8.2f} µs CPU, Socket.IO {theirs[name]:8.2f}: {theirs[name] / ours[name]:.2f}")
    missed = []
    for name, goal in GOALS.items():
        if name in figures:
            print(f"{name}: {figures[name]:.1f} (goal {'at most' if goal < 0 else 'at least'} {abs(goal):g})")
            missed += [name] if (figures[name] > -goal if goal < 0 else figures[name] < goal) else []
    print(f"bench-fanout: {'goals missed: ' + ', '.join(missed) if missed else 'all goals met'}")
    return 1 if missed else 0


async def customer_token(url: str) -> dict[str, Any]:
    console = Console(io.StringIO())
    journey = Journey(Api(url, console), console)
    await sign_up(journey)
    token: dict[str, Any] = await journey.api.post("/api/realtime/token", expect=200)
    for api in journey.callers:
        await api.close()
    return token


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout")
    parser.add_argument("--only", choices=("compare", "latency", "crowd", "storm"))
    only = parser.parse_args().only
    with (
        tempfile.TemporaryDirectory() as folder,
        Suite(Path(folder), scale="realtime=2", environment={"LIMITS": "bench"}) as suite,
        ExitStack() as stack,
    ):
        worker = suite.process("agent-worker")
        publisher = Process([sys.executable, "-m", "bench.fanout.publish"], environment_of(worker["pid"]))
        stack.callback(publisher.close)
        stage = Stage(suite, asyncio.run(customer_token(suite.url)), publisher, stack)
        ours, theirs, figures = dict[str, float](), dict[str, float](), dict[str, float]()
        if only in (None, "compare"):
            ours, theirs = measure_ours(stage), measure_theirs(stage)
        for name, measure in (("latency", measure_latency), ("crowd", measure_crowd), ("storm", measure_storm)):
            if only in (None, name):
                # A token lives for five minutes, and each part may take some.
                stage.token = asyncio.run(customer_token(suite.url))
                figures |= measure(stage)
    return report(ours, theirs, figures)


if __name__ == "__main__":
    sys.exit(main())

"""The capacity model: `python -m bench.capacity [--users 100 1000 10000 100000]`, or `make capacity`.

From the measured cost of a request, a delivery, a call and a job it derives how many cores, instances, connections and
how much memory a number of concurrent users needs, phase by phase as in the architecture paper. Every figure that
enters is an option; its default is measured or assumed, as `Costs` says. `python -m bench.request_cpu`,
`python -m bench.calls`, `make bench-jobs` and `make load` measure them anew. Costs are list prices of a common cloud,
rounded, and only their ratio should be trusted.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# Cores run at this share, so that a burst and the loss of one instance of three fit beneath the top.
TARGET_UTILIZATION = 0.6
CORES_PER_INSTANCE = 2
# Memory of a process after the demo, as `make status` shows it, rounded up.
MIB_PER_PROCESS = 110
PRICE_CORE_MONTH, PRICE_GIB_MONTH, PRICE_STORAGE_GIB_MONTH = 18.0, 2.5, 0.12


@dataclass(frozen=True)
class Costs:
    """What one of each costs, in microseconds of CPU; application and database apart.

    Requests are of `bench.request_cpu`: an uncached list took 2,800, a cached page 355 to 385. Calls: `bench.calls`.
    The database's share of an uncached list, and the memory of sockets and rows, are assumed.
    """

    request_app: float = 2_600.0
    request_database: float = 900.0
    request_cached: float = 370.0
    call_app: float = 19_800.0
    call_database: float = 8_600.0
    delivery: float = 12.3
    socket_kib: float = 45.0
    row_kib: float = 6.0


@dataclass(frozen=True)
class Use:
    """What one concurrent user does: the paper's sustained scenario is one request in ten seconds."""

    requests_per_second: float = 0.1
    sockets: float = 1.0
    deliveries_per_second: float = 0.05
    calls_per_hour: float = 6.0
    cached_share: float = 0.8


@dataclass(frozen=True)
class Need:
    """What so many users need."""

    users: int
    phase: str
    requests_per_second: float
    app_cores: float
    database_cores: float
    instances: int
    gateways: int
    connections: int
    redis_mib: float
    storage_gib_month: float
    dollars: float


def need(users: int, use: Use, costs: Costs) -> Need:
    """Pure arithmetic; rates are per second, memory in MiB."""
    rate = users * use.requests_per_second
    calls = users * use.calls_per_hour / 3600
    deliveries = users * use.deliveries_per_second
    misses = rate * (1 - use.cached_share)
    app = misses * costs.request_app + rate * use.cached_share * costs.request_cached + calls * costs.call_app
    app = (app + deliveries * costs.delivery) / 1e6 / TARGET_UTILIZATION
    database = (misses * costs.request_database + calls * costs.call_database) / 1e6 / TARGET_UTILIZATION
    instances = max(phase_of(users)[1], math.ceil(app / CORES_PER_INSTANCE))
    gateways = max(1, math.ceil(instances * 0.4)) if instances > 1 else 1
    # Behind PgBouncer: a connection carries about 200 transactions a second at 5 ms each.
    connections = max(20, math.ceil((misses + calls * 5) / 200 * 4))
    redis = 32 + users * (2 + 0.8) / 1024 + min(rate, 5000) * 20 / 1024
    storage = calls * 3600 * 24 * 30 * costs.row_kib / 1_048_576
    memory_gib = (instances * 7 * MIB_PER_PROCESS + users * use.sockets * costs.socket_kib / 1024 + redis) / 1024
    dollars = (
        (max(app, CORES_PER_INSTANCE) + max(database, 1)) * PRICE_CORE_MONTH
        + memory_gib * PRICE_GIB_MONTH
        + storage * PRICE_STORAGE_GIB_MONTH
    )
    return Need(
        users, phase_of(users)[0], rate, app, database, instances, gateways, connections, redis, storage, dollars
    )


def phase_of(users: int) -> tuple[str, int]:
    """The paper's phase and the least number of instances that it has."""
    if users <= 100:
        return "1 vertical: one instance", 1
    if users <= 1_000:
        return "2 horizontal: instances behind a balancer, Redis, jobs, clustered sockets", 3
    if users <= 10_000:
        return "3 distributed: autoscaling, read replicas, workers apart, CDN", 5
    return "4 several regions: balancing between regions, replicas and caches in each", 10


def table(needs: Sequence[Need]) -> str:
    head = ("users", "req/s", "app cores", "db cores", "instances", "gateways", "connections", "Redis MiB", "GiB/month",
            "$/month")  # fmt: skip
    rows = [
        (f"{one.users:,}", f"{one.requests_per_second:,.0f}", f"{one.app_cores:.1f}", f"{one.database_cores:.1f}",
         str(one.instances), str(one.gateways), str(one.connections), f"{one.redis_mib:,.0f}",
         f"{one.storage_gib_month:,.1f}", f"{one.dollars:,.0f}")
        for one in needs
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([*lines, "", *(f"{one.users:>7,}: phase {one.phase}" for one in needs)]) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    for kind in (Use, Costs):
        for name, default in vars(kind()).items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=default, help=f"default {default:g}")
    given = vars(parser.parse_args(argv))
    use = Use(**{name: given[name] for name in vars(Use())})
    costs = Costs(**{name: given[name] for name in vars(Costs())})
    sys.stdout.write(table([need(users, use, costs) for users in given["users"]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

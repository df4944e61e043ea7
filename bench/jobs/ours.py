"""The processes of our side: `python -m bench.jobs.ours work|produce …`, settings from the environment.

The worker is libs.jobs.Worker with a handler that does nothing; a producer enqueues in transactions of the tenant role.
Both tell what they did as one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Sequence

import uvloop

from bench.jobs.stage import NOTHING, SERVICE
from libs.bus import Bus
from libs.config import ServiceSettings, load
from libs.jobs import Enqueuer, Handlers, JobContext, JobKind, Worker, enqueue_many
from libs.postgres import Database

# A queue that no worker serves.
WARM = JobKind("bench.warm", service=SERVICE, queue="unserved")


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def work(count: int, handler_seconds: float) -> None:
    """Until `count` jobs ended (0: until killed). Jobs carry the moment from which to measure how late they begin."""
    settings = load(ServiceSettings)
    db = await Database.open(settings, application_name="bench-worker")
    bus = await Bus.connect(settings.nats_url, "bench-worker")
    begun, lateness, stop = 0, [], asyncio.Event()

    async def nothing(ctx: JobContext) -> None:
        nonlocal begun
        begun += 1
        if handler_seconds:
            await asyncio.sleep(handler_seconds)
        lateness.append(time.time() - ctx.job.args["at"])
        if begun == count:
            stop.set()

    handlers = Handlers()
    handlers.add(NOTHING, nothing)
    gc.collect()
    gc.freeze()  # as libs.runtime does
    say(ready=True)
    used = cpu_seconds()
    await Worker(settings, SERVICE, db, bus, handlers).run(stop)
    say(begun=begun, ended_at=time.time(), cpu=cpu_seconds() - used, lateness=lateness)
    await bus.close()
    await db.close()


async def warm(db: Database, jobs: Enqueuer, connections: int) -> None:
    """Open every connection and prepare the statements before time counts, as a service that runs has long done."""

    async def one(number: int) -> None:
        job = WARM.new("org_warm")
        await jobs.enqueue(job)
        async with db.transaction("org_warm") as conn:
            await enqueue_many(conn, [job])
            await asyncio.sleep(0.05)

    for _ in range(2):
        await asyncio.gather(*(one(number) for number in range(connections)))


async def produce(o: argparse.Namespace) -> None:
    """`count` jobs in commits of `per_commit` by so many producers; paced to `rate` a second when it is not 0. `alone`:
    each job has no cause to commit with, else it is written in a tenant's transaction."""
    settings = load(ServiceSettings)
    db = await Database.open(settings, application_name="bench-producer")
    bus = await Bus.connect(settings.nats_url, "bench-producer")
    db.announce_through(bus.announce)
    jobs = Enqueuer(db, bus)
    await warm(db, jobs, o.producers)
    used = cpu_seconds()
    numbers, begun_at = iter(range(0, o.count, o.per_commit)), time.time()
    due = begun_at + o.delay if o.delay else 0.0

    async def one() -> None:
        for number in numbers:
            if o.rate:
                await asyncio.sleep(max(0.0, begun_at + number / o.rate - time.time()))
            org_id, at = f"org_{number // o.per_commit % o.orgs:05}", due or time.time()
            job = NOTHING.new(org_id, {"at": at}, delay=max(0.0, due - time.time()))
            if o.alone:
                await jobs.enqueue(job)
                continue
            async with db.transaction(org_id) as conn:
                await enqueue_many(conn, [job] * o.per_commit)

    await asyncio.gather(*(one() for _ in range(o.producers)))
    say(begun_at=begun_at, ended_at=time.time(), cpu=cpu_seconds() - used)
    await bus.close()
    await db.close()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("work", "produce"))
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--per-commit", type=int, default=1)
    parser.add_argument("--producers", type=int, default=16)
    parser.add_argument("--orgs", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--handler-seconds", type=float, default=0.0)
    parser.add_argument("--alone", action="store_true")
    o = parser.parse_args(argv)
    uvloop.run(work(o.count, o.handler_seconds) if o.role == "work" else produce(o))


if __name__ == "__main__":
    main()

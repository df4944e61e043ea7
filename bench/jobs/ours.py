"""The processes of our side: `python -m bench.jobs.ours work|produce …`, settings from the environment.

The worker is libs.jobs.Worker with a handler that does nothing; a producer enqueues in transactions of the tenant role.
Both tell what they did as one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence

import uvloop

from bench.jobs.stage import SERVICE
from libs.bus import Bus
from libs.config import ServiceSettings, load
from libs.jobs import Handlers, JobContext, JobPolicy, NewJob, Worker, enqueue, enqueue_many
from libs.postgres import Database


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def work(count: int, stamped: bool) -> None:
    """Until `count` jobs began (0: until killed); with `stamped`, jobs carry the moment from which to measure."""
    settings = load(ServiceSettings)
    db = await Database.open(settings, application_name="bench-worker")
    bus = await Bus.connect(settings.nats_url, "bench-worker")
    begun, lateness, stop = 0, [], asyncio.Event()

    async def nothing(ctx: JobContext) -> None:
        nonlocal begun
        begun += 1
        if stamped:
            lateness.append(time.time() - ctx.job.args["at"])
        if begun == count:
            stop.set()

    handlers = Handlers()
    handlers.add("bench.nothing", nothing, JobPolicy(queue="bench"))
    say(ready=True)
    await Worker(settings, SERVICE, db, bus, handlers).run(stop)
    say(begun=begun, ended_at=time.time(), cpu=cpu_seconds(), lateness=lateness)
    await bus.close()
    await db.close()


async def produce(count: int, per_commit: int, producers: int, orgs: int, rate: float, delay: float) -> None:
    """`count` jobs in commits of `per_commit` by so many producers; paced to `rate` a second when it is not 0."""
    settings = load(ServiceSettings)
    db = await Database.open(settings, application_name="bench-producer")
    bus = await Bus.connect(settings.nats_url, "bench-producer")
    db.announce_through(bus.announce)
    numbers, begun_at = iter(range(0, count, per_commit)), time.time()
    due = begun_at + delay

    async def one() -> None:
        for number in numbers:
            if rate:
                await asyncio.sleep(max(0.0, begun_at + number / rate - time.time()))
            org_id = f"org_{number // per_commit % orgs:05}"
            await commit(org_id, due if delay else 0.0)

    async def commit(org_id: str, at: float) -> None:
        async with db.transaction(org_id) as conn:
            if per_commit == 1:
                wait = max(0.0, at - time.time())
                await enqueue(
                    conn, service=SERVICE, kind="bench.nothing", org_id=org_id, queue="bench",
                    args={"at": at or time.time()}, delay=wait,
                )  # fmt: skip
            else:
                wait = max(0.0, at - time.time())
                job = NewJob("bench.nothing", org_id, {"at": at or time.time()}, "bench", delay=wait)
                await enqueue_many(conn, SERVICE, [job] * per_commit)

    await asyncio.gather(*(one() for _ in range(producers)))
    say(begun_at=begun_at, ended_at=time.time(), cpu=cpu_seconds())
    await bus.close()
    await db.close()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("work", "produce"))
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--stamped", action="store_true")
    parser.add_argument("--per-commit", type=int, default=1)
    parser.add_argument("--producers", type=int, default=16)
    parser.add_argument("--orgs", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--delay", type=float, default=0.0)
    o = parser.parse_args(argv)
    if o.role == "work":
        uvloop.run(work(o.count, o.stamped))
    else:
        uvloop.run(produce(o.count, o.per_commit, o.producers, o.orgs, o.rate, o.delay))


if __name__ == "__main__":
    main()

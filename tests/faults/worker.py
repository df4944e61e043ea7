"""The process that the fault runs kill: a real worker with relay and event consumer, and handlers whose effects count.

`effect.direct` writes its effect and an event in the transaction that finishes the job; the event becomes, through
outbox, JetStream and inbox, the job `effect.echo`, which writes another. `effect.outside` writes nothing here: it
appends its job's id to a file, as a call to someone else would carry it as idempotency key.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

from echosenseix.events.v1.events_pb2 import CallChanged
from libs.bus import Bus
from libs.config import ServiceSettings
from libs.events import Event, EventConsumer, OutboxRelay, ReceivedEvent, outbox
from libs.jobs import Handlers, JobContext, JobKind, Worker
from libs.postgres import Connection, Database
from libs.runtime import Runtime, service_main

SERVICE = "calllog"
TOPIC = "call.updated"
MIGRATIONS = Path(__file__).parent / "migrations"
ECHO = JobKind("effect.echo", service=SERVICE, queue="echo")
_EFFECT = "insert into effect (org_id, operation, kind, worker) values ($1, $2, $3, $4)"


async def direct(ctx: JobContext) -> None:
    job, operation = ctx.job, ctx.job.args["operation"]
    _call_someone_else(job.id)
    await asyncio.sleep(random.uniform(0, 0.08))
    async with ctx.finish() as conn:
        await conn.execute(_EFFECT, job.org_id, operation, "direct", job.worker)
        await outbox.append(conn, Event(TOPIC, job.org_id, operation, CallChanged(call_id=operation)))


async def echo(ctx: JobContext) -> None:
    async with ctx.finish() as conn:
        await conn.execute(_EFFECT, ctx.job.org_id, ctx.job.args["operation"], "echo", ctx.job.worker)


async def outside(ctx: JobContext) -> dict[str, bool]:
    _call_someone_else(ctx.job.id)
    return {"told": True}


async def slow(ctx: JobContext) -> None:
    await asyncio.sleep(ctx.job.args["seconds"])
    async with ctx.finish() as conn:
        await conn.execute(_EFFECT, ctx.job.org_id, ctx.job.id, "slow", ctx.job.worker)


async def poison(ctx: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def on_event(conn: Connection, event: ReceivedEvent) -> None:
    await ECHO.enqueue(conn, event.org_id, {"operation": event.read(CallChanged).call_id})


def handlers() -> Handlers:
    made = Handlers()
    made.add(JobKind("effect.direct", service=SERVICE), direct)
    made.add(ECHO, echo)
    made.add(JobKind("effect.outside", service=SERVICE), outside)
    made.add(JobKind("effect.slow", service=SERVICE), slow)
    made.add(JobKind("effect.poison", service=SERVICE), poison)
    return made


def _call_someone_else(key: str) -> None:
    with Path(os.environ["OUTSIDE_FILE"]).open("a", encoding="ascii") as calls:
        calls.write(key + "\n")


async def serve(runtime: Runtime[ServiceSettings]) -> None:
    raise NotImplementedError("only `work` exists here")


async def work(runtime: Runtime[ServiceSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("echo", EventConsumer(bus, database, "faults", {TOPIC: on_event}).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, handlers()).run)


if __name__ == "__main__":
    service_main(SERVICE, ServiceSettings, area="calls", serve=serve, work=work, migrations=MIGRATIONS)

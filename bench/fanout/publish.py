"""A process that commits events as the agent service does: `python -m bench.fanout.publish`, commands on stdin.

It runs with the environment of the suite's agent worker. Each command is a number of events and a rate; the answer has
the time of each commit. From there an event takes the ordinary way: outbox, relay, JetStream, event log, sockets.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from echosenseix.events.v1 import events_pb2
from libs.bus import Bus
from libs.config import ServiceSettings, load
from libs.events import Event, outbox
from libs.postgres import Database

_NAME = "x" * 120


def event(org_id: str, number: int) -> Event:
    """About 256 bytes of data."""
    data = events_pb2.AgentChanged(agent_id=f"agt_{number}", name=_NAME)
    return Event(topic="agent.updated", org_id=org_id, key=f"agt_{number}", data=data)


async def commit(database: Database, org_id: str, first: int, count: int) -> float:
    """Events of one transaction; the time of its commit."""
    async with database.transaction(org_id) as conn:
        await outbox.append_many(conn, [event(org_id, first + number) for number in range(count)])
    return time.time()


async def serve() -> None:
    settings = load(ServiceSettings)
    database = await Database.open(settings, application_name="bench-fanout")
    bus = await Bus.connect(settings.nats_url, "bench-fanout")
    database.announce_through(bus.announce)
    loop, written = asyncio.get_running_loop(), 0
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        act = json.loads(line)
        times, began = [], time.monotonic()
        for number in range(act["transactions"]):
            await asyncio.sleep(max(0.0, began + number / act["rate"] - time.monotonic()))
            times.append(await commit(database, act["org"], written, act["each"]))
            written += act["each"]
        sys.stdout.write(json.dumps(times) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())

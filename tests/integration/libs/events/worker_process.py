"""A worker as the kill test starts it: relay and consumer of "agent", settings from the environment."""

import asyncio

from libs.bus import Bus
from libs.config import ServiceSettings, load
from libs.events import EventConsumer, OutboxRelay
from libs.postgres import Database
from tests.integration.libs.events.effects import keep_effect


async def main() -> None:
    settings = load(ServiceSettings)
    bus = await Bus.connect(settings.nats_url, "worker")
    db = await Database.open(settings, application_name="worker")
    consumer = EventConsumer(bus, db, "killed", {"agent.updated": keep_effect})
    never = asyncio.Event()
    await asyncio.gather(OutboxRelay(settings, "agent", bus).run(never), consumer.run(never))


if __name__ == "__main__":
    asyncio.run(main())

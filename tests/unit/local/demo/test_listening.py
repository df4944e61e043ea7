"""The demo's receiver on a real socket."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from local.demo.listening import Receiver


async def test_a_receiver_that_stops_closes_the_connections_of_its_callers() -> None:
    receiver = Receiver()
    await receiver.start()
    address = urlsplit(receiver.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while not receiver._callers:
        await asyncio.sleep(0)
    await receiver.stop()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()

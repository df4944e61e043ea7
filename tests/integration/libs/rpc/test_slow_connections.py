"""A peer whose machine is busy answers the first packets of a connection late; it is reached all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from google.protobuf.wrappers_pb2 import StringValue

from libs.context import CallContext, serving
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter

# Seconds; longer than the longest pause between two attempts.
LATE = 1.5


class LateProxy:
    """Passes bytes on; the first answer of each connection waits."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self.connections = 0
        self._passing: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        upstream, downstream = await asyncio.open_connection(self._host, int(self._port))
        for source, target, pause in ((reader, downstream, 0.0), (upstream, writer, LATE)):
            task = asyncio.create_task(self._pass(source, target, pause))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, pause: float) -> None:
        try:
            data = await source.read(65_536)
            await asyncio.sleep(pause)
            while data:
                target.write(data)
                await target.drain()
                data = await source.read(65_536)
        except ConnectionError:
            pass
        finally:
            target.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()[:2]
            yield f"{host}:{port}"
            for task in self._passing:
                task.cancel()


async def test_a_connection_that_opens_late_is_waited_for_and_not_begun_anew(
    address: str, agent: PrincipalMinter, echo_module: ModuleType
) -> None:
    proxy = LateProxy(address)
    async with proxy.listening() as late, open_channel(late, audience="echo", minter=agent) as channel:
        with serving(CallContext()):
            answer = await echo_module.EchoStub(channel).say(StringValue(value="hello"))
    assert answer.value
    assert proxy.connections == 1

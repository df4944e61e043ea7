"""A service of three methods over StringValue, and a process that serves it: `python echo.py ADDRESS TRUSTED_KEY`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from libs.config import ServiceSettings
from libs.rpc.callers import MethodAccess
from libs.rpc.server import RpcServer

SERVICE = "test.v1.EchoService"
_ANY = frozenset({"gateway", "agent"})
ACCESS = {
    f"/{SERVICE}/{name}": MethodAccess(_ANY, before_login=name == "Collect") for name in ("Say", "Count", "Collect")
}


class Echo:
    """Says back what it is told; `acts` are what a message makes it do."""

    def __init__(self) -> None:
        self.acts: dict[str, Any] = {}
        self.on_close: Callable[[], object] = bool

    async def say(self, request: StringValue, context: Any) -> StringValue:
        act = self.acts.get(request.value)
        return StringValue(value=str(await act()) if act else request.value)

    async def count(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        try:
            begin = self.acts.get("begin")
            if begin:
                await begin()
            for number in range(int(request.value)):
                yield StringValue(value=str(number))
            act = self.acts.get("end")
            if act:
                await act()
        finally:
            self.on_close()

    async def collect(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        said = ""
        async for request in requests:
            act = self.acts.get(request.value)
            said += str(await act()) if act else request.value
        return StringValue(value=said)


def add_echo(servicer: Echo, server: Any) -> None:
    """As generated code does it."""
    codec: dict[str, Any] = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(servicer.say, **codec),
        "Count": grpc.unary_stream_rpc_method_handler(servicer.count, **codec),
        "Collect": grpc.stream_unary_rpc_method_handler(servicer.collect, **codec),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)


class EchoStub:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        codec: dict[str, Any] = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self.say = channel.unary_unary(f"/{SERVICE}/Say", **codec)
        self.count = channel.unary_stream(f"/{SERVICE}/Count", **codec)
        self.collect = channel.stream_unary(f"/{SERVICE}/Collect", **codec)
        self.absent = channel.unary_unary(f"/{SERVICE}/Absent", **codec)


async def _serve(address: str, trusted: str) -> None:
    settings = ServiceSettings(grpc_address=address, principal_trusted_keys=(trusted,))
    server = RpcServer(settings, "echo", [(add_echo, Echo())], access=ACCESS)
    sys.stdout.write(await server.start() + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))

"""The ways to make one unary call: the server of each, which tells its port, and its client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import grpc
import httptools
import uvicorn
import uvloop

from libs.config import ServiceSettings
from libs.rpc.callers import MethodAccess
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.server import RpcServer

METHOD = "/bench.v1.Bench/Get"

Call = Callable[[bytes], Awaitable[bytes]]
Client = Callable[[int], Any]
Serve = Callable[[bytes, Connection], Coroutine[Any, Any, None]]


def _same(raw: bytes) -> bytes:
    return raw


def _handler(behavior: Callable[..., Any]) -> dict[str, Any]:
    return {"Get": grpc.unary_unary_rpc_method_handler(behavior, request_deserializer=_same, response_serializer=_same)}


# Bare grpc.aio.


async def serve_bare(answer: bytes, tell: Connection) -> None:
    async def get(request: bytes, context: Any) -> bytes:
        return answer

    server = grpc.aio.server()
    server.add_registered_method_handlers("bench.v1.Bench", _handler(get))
    tell.send(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def bare(port: int) -> AsyncIterator[Call]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary(METHOD, request_serializer=_same, response_deserializer=_same)


# Ours.

_MINTER = PrincipalMinter(f"gateway={base64.b64encode(b'g' * 32).decode()}")


async def serve_ours(answer: bytes, tell: Connection) -> None:
    class Bench:
        async def get(self, request: bytes, context: Any) -> bytes:
            return answer

    def add(servicer: Bench, server: Any) -> None:
        server.add_registered_method_handlers("bench.v1.Bench", _handler(servicer.get))

    settings = ServiceSettings(grpc_address="127.0.0.1:0", principal_trusted_keys=(_MINTER.public_key(),))
    access = {METHOD: MethodAccess(frozenset({"gateway"}), before_login=True)}
    server = RpcServer(settings, "bench", [(add, Bench())], access=access)
    tell.send(int((await server.start()).rpartition(":")[2]))
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def ours(port: int) -> AsyncIterator[Call]:
    async with open_channel(f"127.0.0.1:{port}", audience="bench", minter=_MINTER) as channel:
        yield channel.unary_unary(METHOD, request_serializer=_same, response_deserializer=_same)


# One stream of grpc.aio that carries many calls.


async def serve_stream(answer: bytes, tell: Connection) -> None:
    async def many(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request[:4] + answer

    handlers = {
        "Many": grpc.stream_stream_rpc_method_handler(many, request_deserializer=_same, response_serializer=_same)
    }
    server = grpc.aio.server()
    server.add_registered_method_handlers("bench.v1.Bench", handlers)
    tell.send(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def stream(port: int) -> AsyncIterator[Call]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        many = channel.stream_stream("/bench.v1.Bench/Many", request_serializer=_same, response_deserializer=_same)()
        waiting: dict[bytes, asyncio.Future[bytes]] = {}
        numbers = itertools.count()
        writes: asyncio.Queue[bytes] = asyncio.Queue()

        async def write() -> None:
            while True:
                await many.write(await writes.get())

        async def read() -> None:
            async for frame in many:
                waiting.pop(frame[:4]).set_result(bytes(frame[4:]))

        async def call(request: bytes) -> bytes:
            number = struct.pack("!I", next(numbers))
            outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            waiting[number] = outcome
            writes.put_nowait(number + request)
            return await outcome

        tasks = [asyncio.ensure_future(write()), asyncio.ensure_future(read())]
        yield call
        for task in tasks:
            task.cancel()


# grpclib: HTTP/2 in Python.


async def serve_grpclib(answer: bytes, tell: Connection) -> None:
    const, serving = import_module("grpclib.const"), import_module("grpclib.server")

    async def get(stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(answer)

    class Bench:
        def __mapping__(self) -> dict[str, Any]:
            return {METHOD: const.Handler(get, const.Cardinality.UNARY_UNARY, bytes, bytes)}

    server = serving.Server([Bench()], codec=_Bytes())
    await server.start("127.0.0.1", 0)
    tell.send(server._server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


class _Bytes:
    """A codec of grpclib that leaves bytes alone."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


@contextlib.asynccontextmanager
async def grpclib(port: int) -> AsyncIterator[Call]:
    client = import_module("grpclib.client")
    async with client.Channel("127.0.0.1", port, codec=_Bytes()) as channel:
        yield client.UnaryUnaryMethod(channel, METHOD, bytes, bytes)


# The Connect protocol's unary call: a POST over HTTP/1.1, by uvicorn and a pool of plain connections.


async def serve_post(answer: bytes, tell: Connection) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"application/proto"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", access_log=False, http="httptools")
    listening = config.bind_socket()
    # The client may come before the server accepts.
    listening.listen()
    tell.send(listening.getsockname()[1])
    await uvicorn.Server(config).serve([listening])


class _Posting(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._done: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        assert self._done is not None
        self._done.set_result(body)

    def post(self, request: bytes) -> asyncio.Future[bytes]:
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST /bench.v1.Bench/Get HTTP/1.1\r\nhost: bench\r\ncontent-type: application/proto\r\n"
            b"connect-protocol-version: 1\r\ncontent-length: %d\r\n\r\n%b" % (len(request), request)
        )
        return self._done


@contextlib.asynccontextmanager
async def post(port: int) -> AsyncIterator[Call]:
    free: list[_Posting] = []

    async def call(request: bytes) -> bytes:
        if free:
            connection = free.pop()
        else:
            _, connection = await asyncio.get_running_loop().create_connection(_Posting, "127.0.0.1", port)
        answer = await connection.post(request)
        free.append(connection)
        return answer

    yield call


WAYS: dict[str, tuple[Serve, Client]] = {
    "bare grpc.aio": (serve_bare, bare),
    "ours (libs.rpc)": (serve_ours, ours),
    "one grpc.aio stream": (serve_stream, stream),
    "grpclib": (serve_grpclib, grpclib),
    "Connect over HTTP/1.1": (serve_post, post),
}


def ways() -> list[str]:
    """grpclib is no dependency of ours: it is measured where it is installed."""
    return [way for way in WAYS if way != "grpclib" or find_spec("grpclib")]


def serving(way: str, answer: bytes, tell: Connection) -> None:
    """The server process of a way. Here, because a spawned process does not find what a package's __main__ defines."""
    serve, _ = WAYS[way]
    uvloop.run(serve(answer, tell))

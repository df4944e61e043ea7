"""A peer that is frozen, killed, restarted, or one of two: real processes, real signals."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from libs.errors import DeadlineExceeded, Unavailable
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter

Start = Callable[[str], tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def start(agent: PrincipalMinter) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []
    script = str(Path(__file__).with_name("echo.py"))

    def run(address: str) -> tuple[subprocess.Popen[bytes], str]:
        process = subprocess.Popen(
            [sys.executable, script, address, agent.public_key()],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        running.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().decode().strip()

    yield run
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def _say(stub: Any, seconds: float) -> str:
    return str((await stub.say(StringValue(value="hello"), timeout=seconds)).value)


async def test_a_frozen_peer_is_answered_for_at_the_deadline(
    echo_module: ModuleType, agent: PrincipalMinter, start: Start
) -> None:
    process, address = start("127.0.0.1:0")
    async with open_channel(address, audience="echo", minter=agent) as channel:
        stub = echo_module.EchoStub(channel)
        assert await _say(stub, 5) == "hello"
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await _say(stub, 0.5)
        assert time.monotonic() - started > 0.45
        # The peer is still frozen: only the deadline can have ended the call.
        process.send_signal(signal.SIGCONT)
        assert await _say(stub, 5) == "hello"


async def test_a_restarted_peer_is_found_again_within_a_second(
    echo_module: ModuleType, agent: PrincipalMinter, start: Start
) -> None:
    address = _free_address()
    process, _ = start(address)
    async with open_channel(address, audience="echo", minter=agent) as channel:
        stub = echo_module.EchoStub(channel)
        assert await _say(stub, 5) == "hello"
        process.kill()
        process.wait()
        refusals = 0
        deadline = time.monotonic() + 3
        while refusals < 20 and time.monotonic() < deadline:
            with pytest.raises(Unavailable):
                await _say(stub, 0.5)
            refusals += 1
        start(address)
        # Unbounded, a channel waits up to two minutes between attempts: only time shows that it is bounded.
        back, answered = time.monotonic(), ""
        while not answered and time.monotonic() - back < 20:
            try:
                answered = await _say(stub, 0.5)
            except (Unavailable, DeadlineExceeded):
                continue
        assert answered == "hello"


async def test_a_list_of_addresses_outlives_one_of_them(
    echo_module: ModuleType, agent: PrincipalMinter, start: Start
) -> None:
    first, one = start("127.0.0.1:0")
    _, two = start("127.0.0.1:0")
    async with open_channel(f"{one},{two}", audience="echo", minter=agent) as channel:
        stub = echo_module.EchoStub(channel)
        for _ in range(10):
            assert await _say(stub, 5) == "hello"
        first.kill()
        first.wait()
        failures = 0
        for _ in range(50):
            try:
                await _say(stub, 2)
            except Unavailable:
                failures += 1
        assert failures <= 2


async def test_a_list_of_names_is_refused(agent: PrincipalMinter) -> None:
    with pytest.raises(ValueError, match="dns:///"):
        open_channel("agent-1:1,agent-2:1", audience="echo", minter=agent)

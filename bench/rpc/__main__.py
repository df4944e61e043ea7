"""`python -m bench.rpc [CALLS]`: what one unary call between two processes costs, ours beside other ways to make it.

Each way is a server process and this one as the client, 16 calls at a time, with a request of 100 bytes and an answer
of 300 bytes or 20 KiB. Prints microseconds of CPU of both processes a call, the median of three runs in turn, and the
ratio to bare grpc.aio. `ours` is libs.rpc whole: principal, context, deadline, metrics, interceptor.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
from collections.abc import Sequence

import uvloop

from bench.rpc.ways import WAYS, Call, serving, ways

REQUEST = b"r" * 100
ANSWERS = {"300 B": b"a" * 300, "20 KiB": b"a" * 20_480}
AT_ONCE = 16
ROUNDS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _calls(call: Call, count: int) -> None:
    numbers = iter(range(count))

    async def one() -> None:
        for _ in numbers:
            await call(REQUEST)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


def _measure(way: str, answer: bytes, count: int) -> float:
    """Microseconds of CPU of client and server a call."""
    _, client = WAYS[way]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serving, args=(way, answer, there), daemon=True)
    server.start()
    assert server.pid is not None
    port = here.recv()

    async def run() -> float:
        async with client(port) as call:
            assert await call(REQUEST) == answer
            await _calls(call, count // 10)
            before = _own_cpu() + _cpu(server.pid or 0)
            await _calls(call, count)
            return _own_cpu() + _cpu(server.pid or 0) - before

    try:
        return uvloop.run(run()) / count * 1e6
    finally:
        server.kill()
        server.join()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rpc", description=__doc__)
    parser.add_argument("calls", nargs="?", type=int, default=8_000)
    count = parser.parse_args(argv).calls
    for size, answer in ANSWERS.items():
        taken: dict[str, list[float]] = {way: [] for way in ways()}
        for _ in range(ROUNDS):
            for way in taken:
                taken[way].append(_measure(way, answer, count))
        base = statistics.median(taken["bare grpc.aio"])
        for way, runs in taken.items():
            micros = statistics.median(runs)
            sys.stdout.write(f"{size:7} {way:22} {micros:6.0f} µs  {micros / base:4.2f}x\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

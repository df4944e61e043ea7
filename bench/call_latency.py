"""From a provider's webhook to the customer's socket: `python -m bench.call_latency [CALLS]` against the running suite.

Sends one signed post-call report after the other (never two at once, so that it measures the path and not a queue) and
takes the time until the SDK's handler has `call.ended`. Prints milliseconds: p50, p99, and the whole range.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import time

from bench.journey import Customer
from local.demo.envelope import post_call, signed
from local.demo.listening import Listener

CALLS = 200
LONGEST_SECONDS = 10.0


class Stopwatch(Listener):
    """Notes when each conversation's call.ended was heard."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        super().__init__(url, token, channel)
        self.heard: dict[str, asyncio.Future[float]] = {}

    async def on_publication(self, context: object) -> None:
        event = context.pub.data  # type: ignore[attr-defined]
        waiting = self.heard.get(event["data"].get("externalCallId", ""))
        if event["type"] == "call.ended" and waiting is not None and not waiting.done():
            waiting.set_result(time.perf_counter())


async def measure(calls: int) -> list[float]:
    """Milliseconds per call, in order."""
    customer = await Customer.sign_up()
    external_agent_id, secret = await customer.connect_agent()
    path = customer.webhook_path
    token = await customer.api.post("/api/realtime/token", {}, expect=200, key=False)
    channel = next(name for name in token["channels"] if name.endswith(":calls"))
    stopwatch = Stopwatch(token["url"], token["token"], channel)
    await stopwatch.start()
    took = []
    for number in range(calls + 5):
        conversation = f"conv_{secrets.token_hex(12)}"
        body, headers = signed(post_call(external_agent_id, conversation), secret)
        heard = stopwatch.heard[conversation] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        answer = await customer.api.raw(path, body, headers)
        answer.raise_for_status()
        arrived = await asyncio.wait_for(heard, LONGEST_SECONDS)
        if number >= 5:
            took.append((arrived - started) * 1000)
    await stopwatch.stop()
    await customer.api.close()
    return took


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    took = sorted(asyncio.run(measure(calls)))
    p50, p99 = statistics.median(took), took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"webhook to socket over {len(took)} calls: p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {took[-1]:.1f} ms")


if __name__ == "__main__":
    main()

"""How late the event loop runs timers: the first sign of a handler that blocks. Readiness and metrics read it."""

import asyncio

# Seconds between measurements. A block shorter than this can be missed. Shorter: more wake-ups of an idle process.
_EVERY_SECONDS = 1.0
_last = 0.0


def last() -> float:
    """Seconds by which the latest timer came late."""
    return _last


async def watch(stop: asyncio.Event) -> None:
    """Measure until `stop`."""
    global _last
    from libs.telemetry.metrics import LOOP_LAG_SECONDS

    loop = asyncio.get_running_loop()
    while not stop.is_set():
        due = loop.time() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        _last = max(0.0, loop.time() - due)
        LOOP_LAG_SECONDS.set(_last)

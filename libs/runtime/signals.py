"""TERM and INT, which no loop and no task can ignore."""

import asyncio
import os
import signal
import threading
from types import FrameType

# Exit code of a process whose drain took too long.
EXIT_CUT_OFF = 3
# Seconds beyond the drain before the thread ends the process.
MARGIN_SECONDS = 1.0


class Deadline:
    """A thread that ends the process when draining takes too long, whatever the loop does."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, os._exit, (EXIT_CUT_OFF,))
        self._timer.daemon = True
        self._armed = False

    def arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._timer.start()


def obey_signals(stop: asyncio.Event, deadline: Deadline) -> None:
    """TERM and INT set `stop` and start the clock; a second one ends the process at once.

    signal.signal, not loop.add_signal_handler: its handler runs although a callback blocks the loop.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def obey(number: int, frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        deadline.arm()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, obey)

"""The ports that the local suite may deliver to, divided so that tests which run side by side do not meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Server = TypeVar("Server")

LISTENING = range(9900, 9950)
# Receivers never take these: a delivery to one is refused.
SILENT = range(9950, 10_000)


def first_free(serve: Callable[[int], Server]) -> Server:
    """What `serve` makes of the first port that it gets."""
    for port in LISTENING:
        try:
            return serve(port)
        except OSError:
            continue
    raise AssertionError("every port that webhooks may reach is taken")

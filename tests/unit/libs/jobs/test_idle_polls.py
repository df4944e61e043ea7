"""How often an idle queue is polled: less and less often while nothing comes, and soon again after a wake-up."""

from __future__ import annotations

from typing import cast

import pytest

from libs.jobs.store.claims import Claimer
from libs.jobs.worker import poller


def test_polls_of_an_idle_queue_grow_apart_until_a_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "monotonic", lambda: 100.0)
    queue = poller.Poller(cast("Claimer", None))
    waits = []
    for _ in range(4):
        queue.rest()
        waits.append(queue.ask_at - 100.0)
    assert waits == [1.0, 2.0, 4.0, 4.0]
    queue.ask_now()
    assert queue.ask_at <= 100.0
    queue.woken = False
    queue.rest()
    assert queue.ask_at - 100.0 == 1.0

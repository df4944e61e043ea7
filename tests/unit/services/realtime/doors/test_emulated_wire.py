"""What waits for the response of an emulated connection."""

from __future__ import annotations

from services.realtime.doors.emulation import EmulatedWire
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.websocket import MAX_QUEUED_MESSAGES


def batch(messages: int) -> Batch:
    return Batch([b"{}"] * messages)


def test_a_reader_that_keeps_up_is_not_slow_because_much_came_at_once() -> None:
    wire = EmulatedWire()
    assert wire.send([batch(MAX_QUEUED_MESSAGES + 44)])
    assert not wire.send([batch(1)])

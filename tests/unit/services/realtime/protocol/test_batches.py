"""Frames of a batch, as a library of others reads them."""

from __future__ import annotations

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from services.realtime.protocol.batches import Batch


@pytest.mark.parametrize("length", [1, 125, 126, 127, 2**16 - 1, 2**16, 2**16 + 1, 300_000])
def test_each_message_is_a_text_frame_of_its_own(length: int) -> None:
    messages = [b"x" * length, b"{}", b"y" * length]
    reader = Protocol(CLIENT, state=OPEN, max_size=None)
    reader.receive_data(Batch(messages).frames)
    frames = reader.events_received()
    assert [frame.data for frame in frames] == messages  # type: ignore[union-attr]
    assert {frame.opcode for frame in frames} == {Opcode.TEXT}  # type: ignore[union-attr]


def test_frames_are_made_once() -> None:
    batch = Batch([b"{}"])
    assert batch.frames is batch.frames

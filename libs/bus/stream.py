"""The JetStream stream EVENTS: the first process that needs it creates it, and checks whether it still holds what was
published.
"""

from dataclasses import dataclass
from datetime import datetime

import nats.js.errors
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from libs.bus.connection import Bus
from libs.bus.subjects import STREAM, STREAM_SUBJECTS
from libs.config import ServiceSettings

# Seconds that the stream keeps a message. The outbox keeps as long, so that a lost stream can be filled again.
RETENTION_SECONDS = 7 * 86_400
# Seconds in which JetStream drops a repeated message id. The inbox removes later duplicates. Longer: more server
# memory.
DUPLICATE_WINDOW_SECONDS = 600
MESSAGE_ID = "Nats-Msg-Id"
# Seconds for the acknowledgement of one message. After that the relay publishes it again.
PUBLISH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class StreamState:
    """`epoch` is when the stream was created: another epoch is another stream, whose sequences mean other events."""

    epoch: datetime
    first_seq: int
    last_seq: int


async def ensure_stream(bus: Bus, settings: ServiceSettings) -> StreamState:
    """The stream as it stands, created when there is none."""
    try:
        info = await bus.jetstream.stream_info(STREAM)
    except nats.js.errors.NotFoundError:
        info = await _create(bus, settings)
    assert info.created is not None  # noqa: S101 the server sends it with every stream_info
    return StreamState(info.created, info.state.first_seq, info.state.last_seq)


async def publish(bus: Bus, subject: str, payload: bytes, message_id: str) -> int:
    """The sequence at which the stream took the message; a second one with its id within the window is dropped."""
    ack = await bus.jetstream.publish(
        subject, payload, timeout=PUBLISH_SECONDS, stream=STREAM, headers={MESSAGE_ID: message_id}
    )
    return int(ack.seq)


async def message_id_at(bus: Bus, sequence: int) -> str | None:
    """The id of the event at a sequence, None when there is no message."""
    try:
        message = await bus.jetstream.get_msg(STREAM, seq=sequence)
    except nats.js.errors.NotFoundError:
        return None
    return (message.headers or {}).get(MESSAGE_ID)


async def _create(bus: Bus, settings: ServiceSettings) -> StreamInfo:
    config = StreamConfig(
        name=STREAM,
        subjects=[STREAM_SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=RETENTION_SECONDS,
        max_bytes=settings.events_max_bytes,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        num_replicas=settings.events_replicas,
    )
    await bus.jetstream.add_stream(config)
    return await bus.jetstream.stream_info(STREAM)

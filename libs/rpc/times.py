"""Times between domain (aware datetimes or None) and protos (Timestamp or absent)."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument, Violation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_timestamp(moment: datetime | None) -> Timestamp | None:
    """A Timestamp for a message field; None leaves the field absent."""
    if moment is None:
        return None
    # Timestamp.FromDatetime costs three times as much, and lists have two times a row.
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def from_timestamp(message: Message, field: str) -> datetime | None:
    """The aware UTC time in a message's Timestamp field, None when absent; InvalidArgument when out of range."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument(
            "invalid_value",
            "Send a time between the years 1 and 9999.",
            violations=[Violation(f"#/{field}", "out_of_range", "Send a time between the years 1 and 9999.")],
        ) from None

"""What an event is, before it is appended and after it was received: CloudEvents 1.0 in JSON structured mode.

Pure: neither NATS nor SQL. The data are the topic's message of events/v1; on the wire, its proto3 JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from libs.bus.subjects import event_subject
from libs.clock import parse_rfc3339, rfc3339_ms, utcnow
from libs.events.topics import TOPICS
from libs.ids import new_id
from libs.telemetry import current_traceparent

# Bytes of an event. NATS accepts 1 MiB; consumers hold up to 256 events in memory.
MAX_EVENT_BYTES = 512 * 1024

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `data` is the message that the table names for the topic; `key` the id of the aggregate:
    events of one key keep the order of their commits. `service` is only given for topics that every service owns
    (job.*)."""

    topic: str
    org_id: str
    key: str
    data: Message
    id: str = field(default_factory=lambda: new_id("evt"))
    time: datetime = field(default_factory=utcnow)
    subject: str = ""
    service: str = ""
    # Of the trace that caused it, where that is not the one it is appended in.
    traceparent: str = ""

    def __post_init__(self) -> None:
        if self.topic not in TOPICS:
            raise ValueError(f"{self.topic} is not in libs/events/topics.py")
        if not isinstance(self.data, TOPICS[self.topic].message):
            raise TypeError(f"an event of {self.topic} has no {type(self.data).__name__} as data")
        if not (self.owner and self.org_id and self.key):
            raise ValueError(f"an event of {self.topic} needs an organization, a key and a service")

    @property
    def owner(self) -> str:
        return TOPICS[self.topic].service or self.service

    @property
    def nats_subject(self) -> str:
        return event_subject(self.org_id, self.owner, self.topic)

    def envelope(self) -> dict[str, Any]:
        """The CloudEvent (cloudevents.io, 1.0.2); `partitionkey` and `traceparent` are its documented extensions."""
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.topic,
            "source": f"/services/{self.owner}",
            "subject": self.subject or self.key,
            "time": rfc3339_ms(self.time),
            "orgid": self.org_id,
            "partitionkey": self.key,
            "datacontenttype": "application/json",
        }
        if traceparent := self.traceparent or current_traceparent():
            attributes["traceparent"] = traceparent
        # camelCase names, and every field without presence written out, so that readers of JSON need no default.
        return {**attributes, "data": MessageToDict(self.data, always_print_fields_with_no_presence=True)}

    def payload(self) -> str:
        """The envelope as it travels; ValueError when it is larger than any event may be."""
        text = json.dumps(self.envelope(), separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > MAX_EVENT_BYTES:
            raise ValueError(f"an event of {self.topic} is larger than {MAX_EVENT_BYTES} bytes: name things, not texts")
        return text


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as a consumer sees it: `read` gives its data; `envelope` is the whole CloudEvent, to be passed on."""

    id: str
    topic: str
    org_id: str
    key: str
    time: datetime
    source: str
    subject: str
    traceparent: str
    envelope: Mapping[str, Any]

    @classmethod
    def parse(cls, payload: bytes) -> "ReceivedEvent":
        """ValueError when the bytes are no event of this suite."""
        return cls.of(json.loads(payload))

    @classmethod
    def of(cls, envelope: Mapping[str, Any]) -> "ReceivedEvent":
        """ValueError when the envelope is none of this suite."""
        try:
            if not isinstance(envelope["data"], Mapping):
                raise TypeError("data")
            return cls(
                id=envelope["id"],
                topic=envelope["type"],
                org_id=envelope["orgid"],
                key=envelope.get("partitionkey") or envelope["subject"],
                time=parse_rfc3339(envelope["time"]),
                source=envelope["source"],
                subject=envelope["subject"],
                traceparent=envelope.get("traceparent", ""),
                envelope=envelope,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not an event of this suite") from error

    def read(self, message: type[M]) -> M:
        """The data as the message that the table names for the topic; TypeError for another one. Fields that a newer
        release writes are left out."""
        if message is not TOPICS[self.topic].message:
            raise TypeError(f"an event of {self.topic} is no {message.__name__}")
        return ParseDict(self.envelope["data"], message(), ignore_unknown_fields=True)

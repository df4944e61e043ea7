"""What an event is, before it is appended and after it was received: CloudEvents 1.0 in JSON structured mode.

Pure: neither NATS nor SQL. `data` is the proto3 JSON of the topic's message in events/v1.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from libs.bus.subjects import event_subject
from libs.clock import parse_rfc3339, rfc3339_ms, utcnow
from libs.events.topics import TOPICS
from libs.ids import new_id
from libs.telemetry import current_traceparent

MAX_EVENT_BYTES = 512 * 1024


def event_data(message: Message) -> dict[str, Any]:
    """The data of an event: proto3 JSON with camelCase names and every field without presence written out."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `key` is the id of the aggregate: events of one key keep the order of their commits.
    `service` is only given for topics that every service owns (job.*)."""

    topic: str
    org_id: str
    key: str
    data: Mapping[str, Any]
    id: str = field(default_factory=lambda: new_id("evt"))
    time: datetime = field(default_factory=utcnow)
    subject: str = ""
    service: str = ""

    def __post_init__(self) -> None:
        if self.topic not in TOPICS:
            raise ValueError(f"{self.topic} is not in libs/events/topics.py")
        if not (self.owner and self.org_id and self.key):
            raise ValueError(f"an event of {self.topic} needs an organisation, a key and a service")

    @property
    def owner(self) -> str:
        return TOPICS[self.topic].service or self.service

    @property
    def nats_subject(self) -> str:
        return event_subject(self.org_id, self.owner, self.topic)

    def envelope(self, source: str = "") -> dict[str, Any]:
        """The CloudEvent (cloudevents.io, 1.0.2); `partitionkey` and `traceparent` are its documented extensions."""
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.topic,
            "source": source or f"/services/{self.owner}",
            "subject": self.subject or self.key,
            "time": rfc3339_ms(self.time),
            "orgid": self.org_id,
            "partitionkey": self.key,
            "datacontenttype": "application/json",
        }
        if traceparent := current_traceparent():
            attributes["traceparent"] = traceparent
        return {**attributes, "data": dict(self.data)}

    def payload(self) -> str:
        """The envelope as it travels; ValueError when it is larger than any event may be."""
        text = json.dumps(self.envelope(), separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > MAX_EVENT_BYTES:
            raise ValueError(f"an event of {self.topic} is larger than {MAX_EVENT_BYTES} bytes: name things, not texts")
        return text


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as a consumer sees it. `envelope` is the whole CloudEvent, for those who pass it on."""

    id: str
    topic: str
    org_id: str
    key: str
    time: datetime
    source: str
    subject: str
    data: Mapping[str, Any]
    traceparent: str
    envelope: Mapping[str, Any]

    @classmethod
    def parse(cls, payload: bytes) -> "ReceivedEvent":
        """ValueError when the bytes are no event of this suite."""
        try:
            envelope = json.loads(payload)
            return cls(
                id=envelope["id"],
                topic=envelope["type"],
                org_id=envelope["orgid"],
                key=envelope.get("partitionkey") or envelope["subject"],
                time=parse_rfc3339(envelope["time"]),
                source=envelope["source"],
                subject=envelope["subject"],
                data=envelope["data"],
                traceparent=envelope.get("traceparent", ""),
                envelope=envelope,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not an event of this suite") from error

"""The events as the document describes them: one webhook a topic and the event stream, from the table of topics.

Events reach clients as they were logged, so no value passes through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.schemas.vocabulary import WORDS
from libs.events.topics import LOGGED, TOPICS

_REF = "#/components/schemas/{name}"
_WELL_KNOWN: Mapping[str, Mapping[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array", "items": {"type": "object"}},
}
# 64-bit integers are decimal strings in proto3 JSON.
_KINDS: Mapping[int, Mapping[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
}
_HEADERS = {
    "webhook-id": "The delivery. It stays the same when the delivery is repeated: process it once.",
    "webhook-timestamp": "Seconds since 1970 when this attempt was signed. Refuse what is older than five minutes.",
    "webhook-signature": (
        "`v1,` and the base64 HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` under the bytes behind "
        "`whsec_`. During a rotation two signatures, separated by a space."
    ),
    "event-position": "The event's place in the organization's log, by which receivers can restore the order.",
}
_ANSWERS = {
    "2XX": "Taken. Answer within 15 seconds; the body is not read.",
    "410": "The receiver is gone: its endpoint is disabled.",
    "default": (
        "Failed, redirects too. It is tried ten times in three days; a Retry-After can lengthen the wait. Later events "
        "are delivered meanwhile."
    ),
}
STREAM_PATH = "/api/events/stream"


def schemas() -> dict[str, Any]:
    """The events' components: for each message its data and the CloudEvent that carries it."""
    found: dict[str, Any] = {}
    for message in dict.fromkeys(TOPICS[topic].message for topic in LOGGED):
        found[_data_name(message)] = _data_schema(message)
        found[_event_name(message)] = _event_schema(message)
    return found


def webhooks(examples: Mapping[str, Any]) -> dict[str, Any]:
    """The document's `webhooks`; `examples` are recorded events by topic."""
    return {topic: {"post": _webhook(topic, examples.get(topic))} for topic in LOGGED}


def stream() -> dict[str, Any]:
    """The path of the event stream, which realtime serves."""
    return {
        "get": {
            "operationId": "stream_events",
            "servers": [
                {
                    "url": "{origin}",
                    "description": "The origin of `eventsUrl`, which POST /api/realtime/token answers.",
                    "variables": {
                        "origin": {"default": "http://127.0.0.1:8082", "description": "Scheme, host and port."}
                    },
                }
            ],
            "summary": "Receive events as they happen",
            "description": (
                "Server-sent events (WHATWG HTML, 9.2). `id` is the position in the log, `data` the CloudEvent. "
                "Events that the token's scopes do not read are left out. A comment comes every 15 seconds. Reconnect "
                "with the last `id` and nothing is lost that is still kept."
            ),
            "tags": ["Realtime"],
            "security": [{"connection": []}],
            "parameters": [
                _parameter(
                    "query", "after", "Begin after this position; 0: with the oldest kept; absent: with the next."
                ),
                _parameter(
                    "query",
                    "types",
                    "Only events of these types, separated by commas: `call.ended`, `call.*`; absent: all.",
                ),
                _parameter("query", "token", "The connection token, for clients that cannot send a header."),
                _parameter("header", "Last-Event-ID", "The last `id` that was read; browsers send it themselves."),
            ],
            "responses": {
                "200": {
                    "description": "The stream, which does not end by itself",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                },
                **{str(status): {"$ref": f"#/components/responses/{status}"} for status in (400, 401, 403, 429, 503)},
            },
        },
    }


def _webhook(topic: str, example: Any) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": {"$ref": _REF.format(name=_event_name(TOPICS[topic].message))}}
    if example is not None:
        media["example"] = example
    return {
        "operationId": "on_" + topic.replace(".", "_"),
        "summary": TOPICS[topic].says,
        "tags": ["Webhooks out"],
        "security": [],
        "parameters": [_parameter("header", name, says) for name, says in _HEADERS.items()],
        "requestBody": {
            "required": True,
            "description": "A CloudEvent 1.0. The endpoint's `contentType` chooses the media type.",
            "content": {"application/json": media, "application/cloudevents+json": media},
        },
        "responses": {status: {"description": says} for status, says in _ANSWERS.items()},
    }


def _parameter(place: str, name: str, says: str) -> dict[str, Any]:
    required = place == "header" and name.startswith("webhook-")
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}, "description": says}


def _event_schema(message: type[Message]) -> dict[str, Any]:
    topics = [topic for topic in LOGGED if TOPICS[topic].message is message]
    text = {"type": "string"}
    properties: dict[str, Any] = {
        "specversion": {"type": "string", "enum": ["1.0"], "description": WORDS["specversion"]},
        "id": text | {"description": "The event. Deliveries, streams and lists name it alike."},
        "type": {"type": "string", "enum": topics, "description": "What happened."},
        "source": text | {"description": "The service that says so."},
        "subject": text | {"description": WORDS["subject"]},
        "time": {"type": "string", "format": "date-time", "description": WORDS["time"]},
        "orgid": text | {"description": WORDS["organizationId"]},
        "partitionkey": text | {"description": "Events of one key come in the order of their commits."},
        "datacontenttype": text | {"description": WORDS["datacontenttype"]},
        "traceparent": text | {"description": "The trace that caused it (W3C Trace Context)."},
        "data": {"allOf": [{"$ref": _REF.format(name=_data_name(message))}], "description": "What changed."},
    }
    required = [name for name in properties if name != "traceparent"]
    return {"type": "object", "description": "A CloudEvent 1.0.", "properties": properties, "required": required}


def _data_schema(message: type[Message]) -> dict[str, Any]:
    fields: Sequence[Any] = message.DESCRIPTOR.fields  # of two types that know nothing of each other
    return {
        "type": "object",
        "description": "What is not known is absent, an empty string or 0.",
        "properties": {field.json_name: _field_schema(message, field) for field in fields},
        "required": [field.json_name for field in fields if not field.has_presence],
    }


def _field_schema(message: type[Message], field: Any) -> dict[str, Any]:
    shape = _KINDS[field.type] if field.message_type is None else _WELL_KNOWN[field.message_type.full_name]
    name = field.json_name
    told = WORDS.get(f"{_data_name(message)}.{name}") or WORDS.get(name)
    if told is None:
        raise KeyError(f"describe {name} of {_data_name(message)} in gateway/schemas/vocabulary.py")
    # Events have no null: what is not known is absent, empty or 0.
    return {**shape, "description": told.partition("; null")[0].rstrip(".") + "."}


def _data_name(message: type[Message]) -> str:
    return f"{message.__name__}Data"


def _event_name(message: type[Message]) -> str:
    return f"{message.__name__}Event"

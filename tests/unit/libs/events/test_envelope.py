"""Events as CloudEvents: what others can read, and what comes back as it went."""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.http import from_json
from google.protobuf.json_format import ParseError

from echosenseix.events.v1.events_pb2 import AgentChanged, CallChanged, JobChanged
from libs.events import Event, ReceivedEvent
from libs.events.envelope import MAX_EVENT_BYTES
from libs.events.topics import TOPICS
from libs.telemetry import use_traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


NO_DATA = (
    b'{"id":"evt_1","type":"agent.created","orgid":"o","subject":"s","source":"/",'
    b'"time":"2026-03-01T12:00:00Z","data":[]}'
)


def published(**changes: object) -> Event:
    values = {
        "topic": "agent.published",
        "org_id": "org_a",
        "key": "agt_1",
        "data": AgentChanged(agent_id="agt_1", name="Zoë \U0001f600", published_version=3),
        "time": datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
    }
    return Event(**(values | changes))  # type: ignore[arg-type]


def test_the_sdk_of_cloudevents_reads_it() -> None:
    with use_traceparent(TRACE):
        event = published()
        read = from_json(event.payload())
    assert read["specversion"] == "1.0"
    assert read["id"] == event.id
    assert read["type"] == "agent.published"
    assert read["source"] == "/services/agent"
    assert read["subject"] == "agt_1"
    assert read["time"] == "2026-03-01T12:00:00.123Z"
    assert read["orgid"] == "org_a"
    assert read["partitionkey"] == "agt_1"
    assert read["traceparent"] == TRACE
    assert read["datacontenttype"] == "application/json"
    assert read.data["name"] == "Zoë \U0001f600"


def test_it_comes_back_as_it_went() -> None:
    event = published(subject="agt_1/versions/3")
    received = ReceivedEvent.parse(event.payload().encode())
    assert (received.id, received.topic, received.org_id, received.key) == (event.id, event.topic, "org_a", "agt_1")
    assert received.time == event.time.replace(microsecond=123000)
    assert received.subject == "agt_1/versions/3"
    assert received.read(AgentChanged) == event.data
    assert received.envelope == json.loads(event.payload())
    assert received.traceparent == ""


def test_data_is_proto3_json_with_every_plain_field() -> None:
    call = CallChanged(call_id="call_1", version=9_007_199_254_740_993, duration_seconds=1.5)
    data = published(topic="call.ended", data=call).envelope()["data"]
    assert data["callId"] == "call_1"
    assert data["version"] == "9007199254740993"
    assert data["durationSeconds"] == 1.5
    assert data["summary"] == ""
    assert data["billable"] is False
    assert "successful" not in data
    assert "startedAt" not in data


@pytest.mark.parametrize(
    "changes",
    [{"topic": "agent.vanished"}, {"org_id": ""}, {"key": ""}, {"topic": "job.finished", "data": JobChanged()}],
)
def test_what_is_no_event_is_refused_when_it_is_made(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"topics\.py|needs"):
        published(**changes)


def test_a_job_event_names_its_service() -> None:
    event = published(topic="job.finished", data=JobChanged(), service="knowledge")
    assert event.nats_subject == "evt.org_a.knowledge.job.finished"
    assert event.envelope()["source"] == "/services/knowledge"


def test_an_event_that_carries_a_document_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than"):
        published(data=AgentChanged(name="x" * MAX_EVENT_BYTES)).payload()


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"null", b"1", b"{}", b'{"id":"e"}', b'{"id":1,"type":[]}', NO_DATA]
)
def test_other_bytes_are_no_event(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 any ValueError, also that of json
        ReceivedEvent.parse(body)


@pytest.mark.parametrize("name", TOPICS)
def test_each_topic_carries_its_message_and_no_other(name: str) -> None:
    topic = TOPICS[name]
    event = published(topic=name, data=topic.message(), service=topic.service or "knowledge")
    received = ReceivedEvent.parse(event.payload().encode())
    assert received.read(topic.message) == topic.message()
    for other in {other.message for other in TOPICS.values()} - {topic.message}:
        with pytest.raises(TypeError, match=other.__name__):
            published(topic=name, data=other(), service="knowledge")
        with pytest.raises(TypeError, match=other.__name__):
            received.read(other)


def test_what_a_newer_release_adds_to_the_data_is_left_out() -> None:
    envelope = published().envelope()
    envelope["data"]["later"] = {"deep": [1]}
    assert ReceivedEvent.of(envelope).read(AgentChanged) == published().data


def test_data_that_do_not_fit_the_message_are_an_error() -> None:
    envelope = published().envelope()
    envelope["data"]["publishedVersion"] = "many"
    with pytest.raises(ParseError):
        ReceivedEvent.of(envelope).read(AgentChanged)

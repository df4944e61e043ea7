"""The document's webhooks and event stream are what the table of topics says, and real events fit their schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from gateway.routes.documentation import EXAMPLES, FILE
from libs.events import Event
from libs.events.topics import LOGGED, TOPICS, UNTOLD
from services.realtime.doors.events import PARAMETERS
from services.realtime.mapping import public_envelope

DOCUMENT = json.loads(FILE.read_bytes())
RECORDED = json.loads(EXAMPLES.read_bytes())["events"]


def schema_of(topic: str) -> dict[str, Any]:
    content = DOCUMENT["webhooks"][topic]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "application/cloudevents+json"}
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


def faults(topic: str, event: Any) -> list[str]:
    checker = Draft202012Validator({**schema_of(topic), "components": DOCUMENT["components"]})
    return [error.message for error in checker.iter_errors(event)]


def test_every_topic_that_customers_are_told_is_a_webhook_and_no_other() -> None:
    assert tuple(DOCUMENT["webhooks"]) == LOGGED
    assert not set(DOCUMENT["webhooks"]) & UNTOLD
    assert len({hook["post"]["operationId"] for hook in DOCUMENT["webhooks"].values()}) == len(LOGGED)
    assert {topic: hook["post"]["summary"] for topic, hook in DOCUMENT["webhooks"].items()} == {
        topic: TOPICS[topic].says for topic in LOGGED
    }


@pytest.mark.parametrize("topic", LOGGED)
def test_an_event_fits_the_schema_of_its_topic_and_an_unlike_one_does_not(topic: str) -> None:
    event = public_envelope(Event(topic=topic, org_id="org_1", key="key_1", data=TOPICS[topic].message()).envelope())
    assert faults(topic, event) == []
    assert faults(topic, {**event, "type": "nothing.happened"})
    assert faults(topic, {**event, "data": {}})
    first = next(iter(event["data"]))
    assert faults(topic, {**event, "data": {**event["data"], first: ["no value of this kind"]}})


def test_recorded_events_are_the_examples_and_fit() -> None:
    shown = {
        topic: hook["post"]["requestBody"]["content"]["application/json"]["example"]
        for topic, hook in DOCUMENT["webhooks"].items()
        if "example" in hook["post"]["requestBody"]["content"]["application/json"]
    }
    assert shown == RECORDED
    assert {"agent.created", "call.ended", "document.uploaded", "usage.recorded"} <= set(shown)
    assert {topic: found for topic, event in shown.items() if (found := faults(topic, event))} == {}


def test_the_stream_has_its_own_server_and_its_own_token() -> None:
    stream = DOCUMENT["paths"]["/api/events/stream"]["get"]
    assert stream["security"] == [{"connection": []}]
    assert "connection" in DOCUMENT["components"]["securitySchemes"]
    assert list(stream["responses"]["200"]["content"]) == ["text/event-stream"]
    assert [server["url"] for server in stream["servers"]] == ["{origin}"]
    assert {parameter["name"] for parameter in stream["parameters"]} == {*PARAMETERS, "Last-Event-ID"}

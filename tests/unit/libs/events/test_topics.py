"""The table of topics agrees with the messages, the services and the rules of NATS subjects."""

import re

from echosenseix.events.v1 import events_pb2
from libs.bus.subjects import event_filter, event_subject
from libs.events.topics import TOPICS
from suite.services import SERVICES


def test_every_topic_has_an_owner() -> None:
    for name, topic in TOPICS.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name), name
        assert topic.service in {*SERVICES, ""}, name


def test_every_message_belongs_to_a_topic() -> None:
    used = {topic.message.DESCRIPTOR.full_name for topic in TOPICS.values()}
    assert used == {message.full_name for message in events_pb2.DESCRIPTOR.message_types_by_name.values()}


def test_subjects_and_filters_meet() -> None:
    assert event_subject("org_a", "agent", "agent.published") == "evt.org_a.agent.agent.published"
    assert event_filter("agent", "agent.published") == "evt.*.agent.agent.published"
    assert event_filter("", "job.finished") == "evt.*.*.job.finished"

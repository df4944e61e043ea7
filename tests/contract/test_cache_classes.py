"""The table of cached values against the events that replace them, the routes that use it, and docs/caching.md."""

from __future__ import annotations

from pathlib import Path

from gateway.app import ROUTES
from libs.cache.classes import CACHED_ENTITIES, CLASSES, SESSION, SILENT_TOPICS
from libs.cache.spec import entity_of
from libs.events.topics import TOPICS
from suite.services import SERVICES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "caching.md"
# What no cached value shows. A new topic is added here or to a class.
SHOWN_BY_NO_CACHE = {
    "api_key", "audit", "credit", "job", "mail", "session", "usage", "user", "webhook", "webhook_endpoint",
    "white_label_host",
}  # fmt: skip


def test_every_topic_replaces_cached_values_or_is_known_to_be_shown_by_none() -> None:
    entities = {entity_of(topic) for topic in (*TOPICS, *SILENT_TOPICS)}
    assert entities - CACHED_ENTITIES == SHOWN_BY_NO_CACHE


def test_every_class_is_replaced_by_some_topic_of_the_services_that_vouch_for_it() -> None:
    for kind in CLASSES:
        topics = [topic for topic in (*TOPICS, *SILENT_TOPICS) if entity_of(topic) in kind.entities]
        assert {entity_of(topic) for topic in topics} == set(kind.entities), kind.name
        owners = {TOPICS[topic].service for topic in topics if topic in TOPICS}
        # Of a change that no event tells only the class says who makes it.
        assert owners == set(kind.services) or not owners, kind.name
        assert set(kind.services) <= set(SERVICES)


def test_every_class_is_used_by_a_route_that_reads() -> None:
    reading = [route for route in ROUTES if route.cached is not None and not route.writes_through]
    assert {route.cached for route in reading} | {SESSION} == set(CLASSES)
    for route in reading:
        if route.cached is not None:
            assert route.scope.endswith(":read"), route.path
            assert not route.public, route.path
            assert not route.secret, route.path
            assert route.cached.single is ("{id}" in route.path), route.path


def test_a_write_stores_its_answer_only_where_a_read_of_its_path_shows_the_same() -> None:
    reads = {route.path: route for route in ROUTES if route.reads}
    stored = [route for route in ROUTES if route.writes_through]
    assert {route.path for route in stored} == {
        "/api/agents/{id}", "/api/knowledge-base/entries/{id}", "/api/organization",
    }  # fmt: skip
    for route in stored:
        read = reads[route.path]
        shown = (read.cached, read.answer, read.etag, read.status, read.media_type)
        assert (route.cached, route.answer, route.etag, route.status, route.media_type) == shown, route.path


def test_bounds_and_lives_are_what_the_promises_say() -> None:
    for kind in CLASSES:
        assert kind.bound_seconds <= 5.0 < kind.ttl_seconds <= 3600, kind.name


def test_the_documentation_shows_the_same_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for kind in CLASSES:
        entities = ", ".join(f"`{entity}.*`" for entity in kind.entities)
        minutes = f"{kind.ttl_seconds / 60:g} min"
        row = f"| `{kind.name}` | {kind.place} | {kind.key} | {minutes} | {kind.bound_seconds:g} s | {entities} |"
        assert row in text, f"docs/caching.md lacks: {row}"

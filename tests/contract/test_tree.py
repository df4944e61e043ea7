"""The tree keeps the rules of the house that imports cannot express."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.keys import SERVICES
from tests.contract import tree_rules

ROOT = Path(__file__).resolve().parents[2]

# Who may pass the fence between organisations, and why no organisation is known there.
SYSTEM_CALLERS: dict[str, str] = {}


@pytest.mark.parametrize("rule", tree_rules.RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Callable[[Path], list[str]]) -> None:
    assert rule(ROOT) == []


def test_only_listed_modules_reach_all_organisations() -> None:
    assert tree_rules.system_doors(ROOT) == set(SYSTEM_CALLERS)


def test_the_local_stack_starts_every_service_of_the_tree() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert folders == set(SERVICES)


def test_every_topic_belongs_to_a_service_and_has_a_message() -> None:
    from echosenseix.events.v1 import events_pb2
    from libs.bus.subjects import TOPICS

    for name, topic in TOPICS.items():
        assert topic.service in {*SERVICES, ""}, name
        assert topic.message in events_pb2.DESCRIPTOR.message_types_by_name, name

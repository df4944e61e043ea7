"""One behavior of PATCH over all resources that have one: what may be named, what is refused, and what clears."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.identity.v1 import identity_pb2
from echosenseix.knowledge.v1 import knowledge_pb2
from echosenseix.realtime.v1 import realtime_pb2
from libs.errors import InvalidArgument
from libs.rpc import masks
from libs.rpc.masks import Editable
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel
from services.agent.mapping.agents import EDITABLE as AGENT
from services.calllog.domain.calls import Call
from services.calllog.servicer.calls import EDITABLE as CALL
from services.identity.domain.people import Organization
from services.identity.servicer.accounts import EDITABLE as ORGANIZATION
from services.knowledge.domain.entry import Entry
from services.knowledge.mapping.entries import EDITABLE as ENTRY
from services.realtime.domain.delivery import Endpoint
from services.realtime.servicer.webhook_endpoints import EDITABLE as ENDPOINT

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Resource:
    """A patchable resource: its message, and two values that differ in every attribute that may change."""

    editable: Editable[Any]
    message: type[Message]
    current: Any
    given: Any


def _blank(kind: type[Any], **values: Any) -> Any:
    """A value of which only the named attributes matter."""
    value = object.__new__(kind)
    for part in fields(kind):
        object.__setattr__(value, part.name, values.get(part.name))
    return value


def _content(letter: str, number: int) -> AgentContent:
    llm = LanguageModel(letter, float(number), number)
    configuration = AgentConfiguration(letter, letter, letter, letter, llm, {letter: number, "a.b": letter}, number)
    return AgentContent(letter, letter, (letter,), letter, letter, configuration)


def _pair(kind: type[Any], *names: str) -> tuple[Any, Any]:
    return _blank(kind, **dict.fromkeys(names, "x")), _blank(kind, **dict.fromkeys(names, "y"))


RESOURCES = {
    "agent": Resource(AGENT, agent_pb2.Agent, _content("x", 1), _content("y", 2)),
    "call": Resource(CALL, calllog_pb2.Call, *_pair(Call, "tags")),
    "organization": Resource(ORGANIZATION, identity_pb2.Organization, *_pair(Organization, "name", "time_zone")),
    "entry": Resource(ENTRY, knowledge_pb2.Entry, *_pair(Entry, "title", "category", "tags", "source", "content")),
    "webhook endpoint": Resource(
        ENDPOINT, realtime_pb2.WebhookEndpoint, *_pair(Endpoint, "url", "event_types", "description", "status")
    ),
}
each_resource = pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES.keys())


def merged(resource: Resource, paths: list[str]) -> Any:
    return resource.editable.read(FieldMask(paths=paths)).merge(resource.current, resource.given)


def read(value: Any, attribute: str) -> Any:
    return attrgetter(attribute)(value)


def message_paths(message: Any, prefix: str = "", depth: int = 3) -> list[str]:
    """Every path of a message and of the messages inside it."""
    found = []
    for field in message.fields:
        found.append(prefix + field.name)
        if field.message_type is not None and not field.is_repeated and depth:
            found += message_paths(field.message_type, f"{prefix}{field.name}.", depth - 1)
    return found


def leaves(resource: Resource) -> list[str]:
    """The editable paths that hold no further attributes."""
    paths = resource.editable.paths
    return [path for path in paths if not is_dataclass(read(resource.current, paths[path]))]


@each_resource
def test_every_editable_path_is_a_field_of_the_message(resource: Resource) -> None:
    assert set(resource.editable.paths) <= set(message_paths(resource.message.DESCRIPTOR))


@each_resource
def test_every_other_field_of_the_message_is_refused_with_one_code(resource: Resource) -> None:
    read_only = [
        path
        for path in message_paths(resource.message.DESCRIPTOR)
        if path not in resource.editable.paths and not path.startswith("draft.dynamic_variables.")
    ]
    assert read_only
    for path in [*read_only, "", "*", "nothing", "tags.0", "__class__"]:
        with pytest.raises(InvalidArgument) as refusal:
            merged(resource, [next(iter(resource.editable.paths)), path])
        assert (refusal.value.reason, len(refusal.value.violations)) == ("field_not_editable", 1), path


@each_resource
def test_all_refused_paths_are_named_at_once_and_no_more_than_twenty(resource: Resource) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        merged(resource, ["id", "create_time", "id"])
    assert [item.pointer for item in refusal.value.violations] == ["#/id", "#/createdAt"]
    with pytest.raises(InvalidArgument) as refusal:
        merged(resource, [f"unknown{number}" for number in range(1000)])
    assert len(refusal.value.violations) == 20


@each_resource
def test_an_empty_mask_changes_nothing(resource: Resource) -> None:
    edit = resource.editable.read(FieldMask())
    assert not edit
    assert edit.merge(resource.current, resource.given) is resource.current


@each_resource
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_named_paths_are_taken_others_kept_in_any_order_and_repetition(resource: Resource, data: st.DataObject) -> None:
    paths = resource.editable.paths
    named = data.draw(st.lists(st.sampled_from(sorted(paths)), max_size=12))
    again = data.draw(st.permutations(named + named[:3]))
    value = merged(resource, named)
    assert value == merged(resource, again)
    for path in leaves(resource):
        taken = any(path == name or path.startswith(f"{name}.") for name in named)
        source = resource.given if taken else resource.current
        assert read(value, paths[path]) == read(source, paths[path]), path


@each_resource
def test_what_the_given_value_lacks_is_cleared(resource: Resource) -> None:
    """The gateway names a field that is null in the mask and leaves it out of the message."""
    empty = AgentContent("") if isinstance(resource.given, AgentContent) else _blank(type(resource.given))
    cleared = merged(replace_given(resource, empty), list(resource.editable.paths))
    for path, attribute in resource.editable.paths.items():
        assert read(cleared, attribute) == read(empty, attribute), path


def replace_given(resource: Resource, given: Any) -> Resource:
    return replace(resource, given=given)


def test_a_key_of_a_map_is_set_or_removed_alone_and_may_contain_dots() -> None:
    names = ["y", "x", "a.b"]
    value = merged(RESOURCES["agent"], [f"draft.dynamic_variables.{name}" for name in [*names, *names]])
    assert value.configuration.dynamic_variables == {"y": 2, "a.b": "y"}
    assert value.configuration.system_prompt == "x"


def test_fifty_thousand_keys_are_merged_in_one_copy_of_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"k{number}" for number in range(50_000)]
    current = replace(
        RESOURCES["agent"].current, configuration=AgentConfiguration(dynamic_variables=dict.fromkeys(names, 0))
    )
    edit = AGENT.read(FieldMask(paths=[f"draft.dynamic_variables.{name}" for name in names]))
    copies: list[str] = []
    original = masks._replaced

    def counted(value: Any, attribute: str, new: Any) -> Any:
        copies.append(attribute)
        return original(value, attribute, new)

    monkeypatch.setattr(masks, "_replaced", counted)
    assert edit.merge(current, AgentContent("")).configuration.dynamic_variables == {}
    assert copies == ["configuration.dynamic_variables", "dynamic_variables"]

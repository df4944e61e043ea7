"""Content from messages, and the merge of a partial update."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.agent.v1 import agent_pb2
from libs.errors import InvalidArgument
from services.agent.domain import agent as agents
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel
from services.agent.mapping.agents import EDITABLE, agent_to_proto, content_from_proto

Value = str | int | float | bool | None
NOW = datetime(2026, 1, 2, tzinfo=UTC)
VARIABLES: dict[str, Value] = {
    "plan": "gold",
    "count": 5,
    "ratio": 0.5,
    "vip": True,
    "gone": None,
    "a.b": "dotted",
}
CONTENT = AgentContent(
    "Support",
    "Answers",
    ("a", "b"),
    "retell",
    "ext",
    AgentConfiguration("Help.", "Hi", "en", "v1", LanguageModel("m", 0.0, 100), VARIABLES, 900),
)
AGENT = agents.create("agt_1", "org_1", CONTENT, NOW)


def merged(paths: list[str], patch: agent_pb2.Agent | None = None) -> AgentContent:
    given = content_from_proto(patch or agent_pb2.Agent())
    return EDITABLE.read(FieldMask(paths=paths)).merge(AGENT.content, given)


def test_content_survives_the_way_there_and_back() -> None:
    back = content_from_proto(agent_pb2.Agent.FromString(agent_to_proto(AGENT).SerializeToString()))
    assert back == CONTENT
    assert isinstance(back.configuration.dynamic_variables["count"], int)
    assert back.configuration.dynamic_variables["vip"] is True


def test_a_temperature_of_zero_is_not_an_absent_one() -> None:
    assert content_from_proto(agent_pb2.Agent()).configuration.llm == LanguageModel()


def test_an_empty_mask_changes_nothing() -> None:
    assert merged([]) == CONTENT


def test_a_field_outside_the_mask_is_not_taken() -> None:
    patch = agent_pb2.Agent(display_name="Sales", description="ignored")
    content = merged(["display_name"], patch)
    assert (content.name, content.description) == ("Sales", "Answers")


def test_an_absent_field_in_the_mask_is_cleared() -> None:
    content = merged(["description", "tags", "draft.llm.temperature", "draft.voice_id"])
    assert (content.description, content.tags, content.configuration.voice_id) == ("", (), "")
    assert content.configuration.llm == LanguageModel("m", None, 100)
    assert merged(["draft.llm"]).configuration.llm == LanguageModel()


def test_lists_are_replaced() -> None:
    assert merged(["tags"], agent_pb2.Agent(tags=["c"])).tags == ("c",)


def test_variables_merge_key_by_key() -> None:
    patch = agent_pb2.Agent()
    patch.draft.dynamic_variables.update({"plan": "silver", "new": 1})
    names = ["plan", "new", "count", "a.b"]
    content = merged([f"draft.dynamic_variables.{name}" for name in names], patch)
    assert content.configuration.dynamic_variables == {
        "plan": "silver", "new": 1, "ratio": 0.5, "vip": True, "gone": None,
    }  # fmt: skip


def test_variables_are_replaced_as_a_whole_when_the_mask_says_so() -> None:
    patch = agent_pb2.Agent()
    patch.draft.dynamic_variables["only"] = "this"
    assert merged(["draft.dynamic_variables"], patch).configuration.dynamic_variables == {"only": "this"}
    assert merged(["draft.dynamic_variables"]).configuration.dynamic_variables == {}


def test_nested_values_of_variables_come_through_for_the_rules_to_refuse() -> None:
    message = agent_pb2.Agent(display_name="x")
    message.draft.dynamic_variables.fields["deep"].struct_value.CopyFrom(struct_pb2.Struct())
    with pytest.raises(InvalidArgument) as refusal:
        agents.create("agt_1", "org_1", content_from_proto(message), NOW)
    assert refusal.value.violations[0].pointer == "#/dynamicVariables/deep"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("id", "#/id"),
        ("organization_id", "#/organizationId"),
        ("version", "#/version"),
        ("status", "#/status"),
        ("published_version", "#/publishedVersion"),
        ("create_time", "#/createdAt"),
        ("draft", "#/draft"),
        ("draft.secret", "#/secret"),
        ("", "#/"),
    ],
)
def test_privileged_and_unknown_paths_are_refused(path: str, pointer: str) -> None:
    patch = agent_pb2.Agent(id="agt_2", organization_id="org_2", version=99)
    with pytest.raises(InvalidArgument) as refusal:
        merged(["display_name", path], patch)
    assert refusal.value.reason == "field_not_editable"
    assert refusal.value.violations[0].pointer == pointer


def test_every_editable_path_exists_in_the_message() -> None:
    for path in EDITABLE.paths:
        descriptor = agent_pb2.Agent.DESCRIPTOR
        for name in path.split("."):
            field = descriptor.fields_by_name[name]
            descriptor = field.message_type or descriptor

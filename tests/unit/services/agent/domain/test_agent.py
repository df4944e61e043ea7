"""How an agent may change."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.errors import FailedPrecondition
from services.agent.domain import agent as agents
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel, digest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
CONTENT = AgentContent("Support", configuration=AgentConfiguration(system_prompt="Help.", dynamic_variables={"a": 1}))


def created() -> agents.Agent:
    return agents.create("agt_1", "org_1", CONTENT, NOW)


def test_a_new_agent_is_a_draft_with_something_to_publish() -> None:
    agent = created()
    assert (agent.status, agent.version, agent.published_version) == (agents.AgentStatus.DRAFT, 1, 0)
    assert agent.has_unpublished_changes


def test_an_edit_grows_the_version_and_moves_the_time() -> None:
    edited = agents.edit(created(), replace(CONTENT, name="Sales"), LATER)
    assert (edited.content.name, edited.version, edited.updated_at, edited.created_at) == ("Sales", 2, LATER, NOW)


def test_an_edit_that_changes_nothing_is_the_same_agent() -> None:
    agent = created()
    assert agents.edit(agent, replace(CONTENT, name="  Support "), LATER) is agent


def test_one_and_true_are_different_values_of_a_variable() -> None:
    content = replace(CONTENT, configuration=replace(CONTENT.configuration, dynamic_variables={"a": True}))
    assert agents.edit(created(), content, LATER).version == 2


def test_publishing_freezes_the_draft_under_the_next_number() -> None:
    published, version = agents.publish(created(), "agv_1", "first", "usr_1", LATER)
    assert (version.number, version.configuration, version.created_by) == (1, CONTENT.configuration, "usr_1")
    assert (published.status, published.published_version, published.version) == (agents.AgentStatus.ACTIVE, 1, 2)
    assert not published.has_unpublished_changes
    _, second = agents.publish(published, "agv_2", "", "usr_1", LATER)
    assert second.number == 2


def test_only_the_configuration_counts_as_unpublished() -> None:
    published, _ = agents.publish(created(), "agv_1", "", "usr_1", LATER)
    renamed = agents.edit(published, replace(CONTENT, name="Sales"), LATER)
    assert not renamed.has_unpublished_changes
    prompted = replace(CONTENT.configuration, system_prompt="Sell.")
    assert agents.edit(renamed, replace(CONTENT, configuration=prompted), LATER).has_unpublished_changes


def test_a_copy_is_an_untied_draft_with_a_name_that_fits() -> None:
    original = agents.create("agt_1", "org_1", replace(CONTENT, name="x" * 200, external_agent_id="e1"), NOW)
    copy = agents.duplicate(original, "agt_2", "", LATER)
    assert len(copy.content.name) == 200
    assert copy.content.name.endswith(" (copy)")
    assert (copy.content.external_agent_id, copy.status, copy.version) == ("", agents.AgentStatus.DRAFT, 1)
    assert agents.duplicate(original, "agt_3", "Mine", LATER).content.name == "Mine"


def test_a_stale_version_is_refused() -> None:
    agents.check_version(created(), None)
    agents.check_version(created(), 1)
    with pytest.raises(FailedPrecondition) as refusal:
        agents.check_version(created(), 2)
    assert refusal.value.reason == "stale_version"


# As the release before fields were left out at their default stored them.
STORED = {
    "1ed7f25c05d57cf1c722a3186c395388f0974139e1529b86e55b481263bacf70": AgentConfiguration(),
    "6a2bfe36ffd32836001d7fd0c7a62511bd624d6019e6a7f1904622305e9e4272": AgentConfiguration(
        "Help.", "Hi", "en", "v1", LanguageModel("m", 0.0, 100), {"plan": "gold", "vip": True, "é": 1.5}
    ),
}


@pytest.mark.parametrize(("stored", "configuration"), STORED.items())
def test_digests_that_an_earlier_release_stored_stay_valid(stored: str, configuration: AgentConfiguration) -> None:
    assert digest(configuration) == stored


def test_a_field_that_is_added_with_a_default_changes_no_digest() -> None:
    @dataclass(frozen=True)
    class NextModel(LanguageModel):
        seed: int | None = None

    @dataclass(frozen=True)
    class NextConfiguration(AgentConfiguration):
        llm: NextModel = NextModel()
        interruptions: bool = True

    said = ("Help.", "Hi", "en", "v1")
    now = digest(AgentConfiguration(*said, LanguageModel("m", 0.5), {"a": 1}))
    assert digest(NextConfiguration(*said, NextModel("m", 0.5), {"a": 1})) == now
    assert digest(NextConfiguration(*said, NextModel("m", 0.5), {"a": 1}, interruptions=False)) != now
    assert digest(NextConfiguration(*said, NextModel("m", 0.5, seed=7), {"a": 1})) != now


def test_every_field_of_a_configuration_counts_where_it_differs_from_its_default() -> None:
    blank = AgentConfiguration()
    for part in fields(AgentConfiguration):
        other: dict[str, Any] = {"llm": LanguageModel("m"), "dynamic_variables": {"a": 1}, "max_duration_seconds": 60}
        changed = replace(blank, **{part.name: other.get(part.name, "x")})
        assert digest(changed) != digest(blank), part.name

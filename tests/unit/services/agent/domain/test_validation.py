"""The limits of an agent's content, and how violations point at fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.errors import InvalidArgument
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel
from services.agent.domain.validation import check_content

GOOD = AgentContent(
    "Support",
    "Answers the phone",
    ("vip", "de"),
    "elevenlabs",
    "agent_01",
    AgentConfiguration("p" * 100_000, "Hello", "pt-BR", "voice", LanguageModel("m", 2.0, 1), {"a": 1, "b": None}),
)


def configured(**changes: object) -> AgentContent:
    return replace(GOOD, configuration=replace(GOOD.configuration, **changes))  # type: ignore[arg-type]


def test_what_is_within_the_limits_passes_unchanged() -> None:
    assert check_content(GOOD) == GOOD


def test_white_space_around_names_and_tags_goes_and_tags_are_counted_once() -> None:
    content = check_content(replace(GOOD, name="  Support ", tags=(" vip", "vip ", "de")))
    assert (content.name, content.tags) == ("Support", ("vip", "de"))


def test_an_external_id_alone_is_that_of_elevenlabs() -> None:
    assert check_content(replace(GOOD, provider="")).provider == "elevenlabs"
    assert check_content(replace(GOOD, provider="", external_agent_id="")).provider == ""


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (replace(GOOD, name=" "), "#/name"),
        (replace(GOOD, name="x" * 201), "#/name"),
        (replace(GOOD, name="a\x00b"), "#/name"),
        (replace(GOOD, description="x" * 2_001), "#/description"),
        (replace(GOOD, provider="twilio"), "#/provider"),
        (replace(GOOD, external_agent_id="x" * 201), "#/externalAgentId"),
        (replace(GOOD, tags=tuple(f"t{n}" for n in range(51))), "#/tags"),
        (replace(GOOD, tags=("ok", "x" * 51)), "#/tags/1"),
        (replace(GOOD, tags=("ok", "")), "#/tags/1"),
        (configured(system_prompt="p" * 100_001), "#/systemPrompt"),
        (configured(first_message="p" * 10_001), "#/firstMessage"),
        (configured(voice_id="v" * 201), "#/voiceId"),
        (configured(language="english please"), "#/language"),
        (configured(language="x"), "#/language"),
        (configured(max_duration_seconds=9), "#/maxDurationSeconds"),
        (configured(max_duration_seconds=43_201), "#/maxDurationSeconds"),
        (configured(llm=LanguageModel(temperature=2.1)), "#/llm/temperature"),
        (configured(llm=LanguageModel(temperature=-0.1)), "#/llm/temperature"),
        (configured(llm=LanguageModel(temperature=float("nan"))), "#/llm/temperature"),
        (configured(llm=LanguageModel(max_tokens=0)), "#/llm/maxTokens"),
        (configured(llm=LanguageModel(model="m" * 201)), "#/llm/model"),
        (configured(dynamic_variables={"a/b~c": []}), "#/dynamicVariables/a~1b~0c"),
        (configured(dynamic_variables={"a": {"b": 1}}), "#/dynamicVariables/a"),
        (configured(dynamic_variables={"a": float("inf")}), "#/dynamicVariables/a"),
        (configured(dynamic_variables={"a": "x" * 10_001}), "#/dynamicVariables/a"),
        (configured(dynamic_variables={"": 1}), "#/dynamicVariables/"),
        (configured(dynamic_variables={f"v{n}": n for n in range(201)}), "#/dynamicVariables"),
    ],
)
def test_each_rule_points_at_its_field(content: AgentContent, pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_content(content)
    assert [violation.pointer for violation in refusal.value.violations] == [pointer]


def test_all_violations_come_at_once() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_content(replace(configured(language="?", llm=LanguageModel(temperature=9)), name=""))
    assert {violation.pointer for violation in refusal.value.violations} == {
        "#/name",
        "#/language",
        "#/llm/temperature",
    }


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hant-TW", "es-419", "de-CH-1996", "sl-rozaj", "en-x-twain"])
def test_bcp_47_tags_pass(language: str) -> None:
    check_content(configured(language=language))

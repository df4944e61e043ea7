"""The limits of an agent's content. Pointers name fields as the JSON API spells them.

Collects every violation, so that one answer lists all that is wrong. Decides; never repairs more than white space.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from libs.errors import InvalidArgument, Violation
from libs.text import trimmed
from providers.registry import DEFAULT_PROVIDER, PROVIDERS
from suite.formats import LANGUAGE

from .content import AgentConfiguration, AgentContent, LanguageModel

# Characters of a name, as the API documents.
NAME_MAX = 200
# Characters of a description.
DESCRIPTION_MAX = 2_000
# Characters of a prompt.
PROMPT_MAX = 100_000
# Characters of the first message.
FIRST_MESSAGE_MAX = 10_000
# Characters of model names, voices and external ids.
SHORT_MAX = 200
# Tags of an agent.
TAGS_MAX = 50
# Characters of a tag.
TAG_MAX = 50
# Variables of an agent.
VARIABLES_MAX = 200
# Characters of a variable's name.
VARIABLE_NAME_MAX = 100
# Characters of a variable's text.
VARIABLE_VALUE_MAX = 10_000
# Knowledge entries of an agent.
KNOWLEDGE_ENTRIES_MAX = 100
# Least and largest temperature, as the models' APIs have it.
TEMPERATURE = (0, 2)
# Least and largest number of tokens of an answer.
MAX_TOKENS = (1, 1_000_000)
# Ten seconds to twelve hours, the widest range among the platforms (Vapi's).
MAX_DURATION_SECONDS = (10, 43_200)

_LANGUAGE = re.compile(LANGUAGE)
_ENTRY_ID = re.compile(r"kbe_[0-9a-z]{26}")


def check_content(content: AgentContent) -> AgentContent:
    """The content with names and tags trimmed and the provider completed; raises with every violation found."""
    tags = tuple(dict.fromkeys(trimmed(tag) for tag in content.tags))
    # Clients of the first release name no provider beside an external id.
    provider = content.provider or (DEFAULT_PROVIDER if content.external_agent_id else "")
    content = replace(content, name=trimmed(content.name), tags=tags, provider=provider)
    found = [*_content(content), *_configuration(content.configuration)]
    if found:
        raise InvalidArgument("validation_failed", "Some fields of the agent are not valid.", violations=found)
    return content


def check_note(note: str) -> str:
    """The description of a version."""
    found = list(_text("#/description", note, DESCRIPTION_MAX))
    if found:
        raise InvalidArgument("validation_failed", "The version's description is not valid.", violations=found)
    return note


def _content(content: AgentContent) -> Iterator[Violation]:
    if not content.name:
        yield Violation("#/name", "required", "Give the agent a name.")
    yield from _text("#/name", content.name, NAME_MAX)
    yield from _text("#/description", content.description, DESCRIPTION_MAX)
    yield from _text("#/externalAgentId", content.external_agent_id, SHORT_MAX)
    if content.provider and content.provider not in PROVIDERS:
        yield Violation("#/provider", "unknown_value", f"Must be one of {', '.join(PROVIDERS)}.")
    yield from _tags(content.tags)


def _tags(tags: tuple[str, ...]) -> Iterator[Violation]:
    if len(tags) > TAGS_MAX:
        yield Violation("#/tags", "too_many", f"At most {TAGS_MAX} tags.")
    # Tags beyond the limit have their one violation already.
    for index, tag in enumerate(tags[:TAGS_MAX]):
        if not tag:
            yield Violation(f"#/tags/{index}", "required", "A tag must not be empty.")
        yield from _text(f"#/tags/{index}", tag, TAG_MAX)


def _configuration(configuration: AgentConfiguration) -> Iterator[Violation]:
    yield from _text("#/systemPrompt", configuration.system_prompt, PROMPT_MAX)
    yield from _text("#/firstMessage", configuration.first_message, FIRST_MESSAGE_MAX)
    yield from _text("#/voiceId", configuration.voice_id, SHORT_MAX)
    language = configuration.language
    if language and (len(language) > SHORT_MAX or not _LANGUAGE.fullmatch(language)):
        yield Violation("#/language", "invalid_format", "Must be a BCP 47 tag, for example en or pt-BR.")
    yield from _llm(configuration.llm)
    yield from _within("#/maxDurationSeconds", configuration.max_duration_seconds, MAX_DURATION_SECONDS)
    yield from _variables(configuration.dynamic_variables)
    entries = configuration.knowledge_entry_ids
    if len(entries) > KNOWLEDGE_ENTRIES_MAX:
        yield Violation("#/knowledgeEntryIds", "too_many", f"At most {KNOWLEDGE_ENTRIES_MAX} entries.")
    for index, entry_id in enumerate(entries[:KNOWLEDGE_ENTRIES_MAX]):
        if not _ENTRY_ID.fullmatch(entry_id):
            yield Violation(f"#/knowledgeEntryIds/{index}", "invalid_format", "Must be the id of a knowledge entry.")


def _llm(llm: LanguageModel) -> Iterator[Violation]:
    yield from _text("#/llm/model", llm.model, SHORT_MAX)
    yield from _within("#/llm/temperature", llm.temperature, TEMPERATURE)
    yield from _within("#/llm/maxTokens", llm.max_tokens, MAX_TOKENS)


def _within(pointer: str, number: float | None, limits: tuple[float, float]) -> Iterator[Violation]:
    """NaN lies in no range."""
    if number is not None and not limits[0] <= number <= limits[1]:
        yield Violation(pointer, "out_of_range", f"Must be between {limits[0]} and {limits[1]}.")


def _variables(variables: Mapping[str, object]) -> Iterator[Violation]:
    if len(variables) > VARIABLES_MAX:
        yield Violation("#/dynamicVariables", "too_many", f"At most {VARIABLES_MAX} variables.")
        return
    for name, value in variables.items():
        # RFC 6901 escapes; the name is cut, because it is the client's text in our answer.
        pointer = "#/dynamicVariables/" + name[:VARIABLE_NAME_MAX].replace("~", "~0").replace("/", "~1")
        # Names become JSON keys and SQL values, never identifiers, so any other character may stand in them.
        if not name or len(name) > VARIABLE_NAME_MAX or "\x00" in name:
            yield Violation(pointer, "invalid_format", f"A variable's name has 1 to {VARIABLE_NAME_MAX} characters.")
        elif isinstance(value, str):
            yield from _text(pointer, value, VARIABLE_VALUE_MAX)
        elif isinstance(value, float) and not math.isfinite(value):
            yield Violation(pointer, "invalid_format", "Must be a finite number.")
        elif value is not None and not isinstance(value, bool | int | float):
            yield Violation(pointer, "wrong_type", "Must be a string, a number, a boolean or null.")


def _text(pointer: str, text: str, most: int) -> Iterator[Violation]:
    if len(text) > most:
        yield Violation(pointer, "too_long", f"At most {most} characters.")
    if "\x00" in text:
        yield Violation(pointer, "invalid_character", "Must not contain the NUL character.")

"""The limits of what a customer says about an entry and asks of the knowledge base. Collects every violation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from libs.errors import InvalidArgument, Violation
from libs.text import trimmed
from services.knowledge.domain.entry import Described
from suite.formats import LANGUAGE

# Characters of a title.
TITLE_MAX = 200
# Characters of a category.
CATEGORY_MAX = 100
# Characters of a source.
SOURCE_MAX = 2_000
# Tags of an entry.
TAGS_MAX = 50
# Characters of a tag.
TAG_MAX = 50
# Bytes of a text entry. Longer texts are uploaded as documents.
CONTENT_MAX_BYTES = 1024 * 1024
# Characters of a query. The model reads 256 tokens.
QUERY_MAX = 1_000
# Words of a query. More cost index look-ups; the model reads 256 tokens.
QUERY_WORDS_MAX = 64
# Entries that a search can name.
ENTRY_FILTER_MAX = 100
# Least and most tokens of an answer's context. A chunk has at most 240.
CONTEXT_TOKENS = (50, 4_000)
# Characters of a file name.
FILE_NAME_MAX = 255

_LANGUAGE = re.compile(LANGUAGE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


def check_described(described: Described) -> Described:
    """With words trimmed and tags made unique; raises with every violation found."""
    described = replace(
        described,
        title=trimmed(described.title),
        category=trimmed(described.category),
        tags=tuple(dict.fromkeys(trimmed(tag) for tag in described.tags)),
        source=described.source.strip(),
    )
    _raise(list(_described(described)), "Some fields of the entry are not valid.")
    return described


def check_content(content: str) -> str:
    """The text of a text entry."""
    found = []
    if not any(map(str.isalnum, trimmed(content))):
        found.append(Violation("#/content", "required", "Give the entry some text."))
    if len(content.encode()) > CONTENT_MAX_BYTES:
        found.append(Violation("#/content", "too_long", "At most 1 MiB of text; upload a longer one as a document."))
    if "\x00" in content:
        found.append(Violation("#/content", "invalid_character", "Must not contain the NUL character."))
    _raise(found, "The entry's text is not valid.")
    return content


def check_query(query: str, tags: tuple[str, ...], entry_ids: tuple[str, ...]) -> str:
    found = []
    if not trimmed(query):
        found.append(Violation("#/query", "required", "Say what to look for."))
    found += _text("#/query", query, QUERY_MAX)
    if len(query.split()) > QUERY_WORDS_MAX:
        found.append(Violation("#/query", "too_many_words", f"At most {QUERY_WORDS_MAX} words."))
    if len(tags) > TAGS_MAX:
        found.append(Violation("#/filters/tags", "too_many", f"At most {TAGS_MAX} tags."))
    if len(entry_ids) > ENTRY_FILTER_MAX:
        found.append(Violation("#/filters/entryIds", "too_many", f"At most {ENTRY_FILTER_MAX} entries."))
    _raise(found, "The search is not valid.")
    return unicodedata.normalize("NFC", query.strip())


def check_max_results(wanted: int) -> int:
    """1..50, 10 where nothing was said."""
    if not 0 <= wanted <= 50:
        _raise([Violation("#/maxResults", "out_of_range", "Must be between 1 and 50.")], "The search is not valid.")
    return wanted or 10


def check_most_tokens(wanted: int) -> int:
    """50..4,000, 1,200 where nothing was said."""
    if wanted and not CONTEXT_TOKENS[0] <= wanted <= CONTEXT_TOKENS[1]:
        between = f"Must be between {CONTEXT_TOKENS[0]} and {CONTEXT_TOKENS[1]}."
        _raise([Violation("#/maxTokens", "out_of_range", between)], "The budget is not valid.")
    return wanted or 1_200


def plain_file_name(name: str) -> str:
    """The last part of a name as its sender wrote it, for show; nothing is ever stored under it."""
    last = _UNPRINTABLE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip()
    return last[-FILE_NAME_MAX:] or "document"


def title_from_file_name(name: str) -> str:
    stem = name.rpartition(".")[0] or name
    return re.sub(r"[_\s]+", " ", stem).strip()[:TITLE_MAX] or "Document"


def _described(described: Described) -> Iterator[Violation]:
    if not described.title:
        yield Violation("#/title", "required", "Give the entry a title.")
    yield from _text("#/title", described.title, TITLE_MAX)
    yield from _text("#/category", described.category, CATEGORY_MAX)
    yield from _text("#/source", described.source, SOURCE_MAX)
    if described.language and not _LANGUAGE.fullmatch(described.language):
        yield Violation("#/language", "invalid_format", "Must be a BCP 47 tag, for example en or pt-BR.")
    if len(described.tags) > TAGS_MAX:
        yield Violation("#/tags", "too_many", f"At most {TAGS_MAX} tags.")
    for index, tag in enumerate(described.tags[:TAGS_MAX]):
        if not tag:
            yield Violation(f"#/tags/{index}", "required", "A tag must not be empty.")
        yield from _text(f"#/tags/{index}", tag, TAG_MAX)


def _text(pointer: str, text: str, most: int) -> Iterator[Violation]:
    if len(text) > most:
        yield Violation(pointer, "too_long", f"At most {most} characters.")
    if "\x00" in text:
        yield Violation(pointer, "invalid_character", "Must not contain the NUL character.")


def _raise(found: list[Violation], detail: str) -> None:
    if found:
        raise InvalidArgument("validation_failed", detail, violations=found)

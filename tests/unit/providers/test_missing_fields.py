"""Whatever optional field a provider leaves out, sets to null or sends in another form, its call is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.interface.envelopes import Makes
from providers.interface.reports import ReportedCall
from providers.registry import PROVIDERS

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FILES = sorted(path for name in PROVIDERS for path in (SAMPLES / name).glob("*.json"))
# What names the type of a delivery and its call; without them there is none.
REQUIRED = {
    "elevenlabs": (("type",), ("data",), ("data", "conversation_id")),
    "retell": (("event",), ("call",), ("call", "call_id")),
    "vapi": (("message",), ("message", "type"), ("message", "call"), ("message", "call", "id"), ("message", "status")),
    "bland": (("call_id",),),
}
ABSENT = object()
OTHER = [ABSENT, ABSENT, None, None, 7, -1, 2.5, True, "", "words", [], {}, [None], [[]], {"a": None}]

Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every member and element of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*above, name)
        yield from places(inner, (*above, name))


def changed(document: Any, place: Place, fresh: object) -> None:
    """Change the place, unless an earlier change removed it."""
    for name in place[:-1]:
        try:
            document = document[name]
        except (KeyError, IndexError, TypeError):
            return
    last = place[-1]
    if isinstance(document, dict) and last in document:
        document[last] = fresh
        if fresh is ABSENT:
            del document[last]
    elif isinstance(document, list) and isinstance(last, int) and last < len(document):
        document[last] = None if fresh is ABSENT else fresh


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_call_is_read_whatever_of_its_fields_is_missing(file: Path) -> None:
    provider, sample = PROVIDERS[file.parent.name], json.loads(file.read_text("utf-8"))
    free = [place for place in places(sample) if place not in REQUIRED[provider.name]]
    whole = provider.read_report(provider.parse_envelope(json.dumps(sample).encode()))

    @settings(max_examples=150)
    @given(st.dictionaries(st.sampled_from(free), st.sampled_from(OTHER), min_size=1, max_size=12))
    def check(changes: dict[Place, object]) -> None:
        document = copy.deepcopy(sample)
        for place, fresh in changes.items():
            changed(document, place, fresh if fresh is ABSENT else copy.deepcopy(fresh))
        envelope = provider.parse_envelope(json.dumps(document).encode())
        assert envelope.makes is Makes.CALL
        report = provider.read_report(envelope)
        assert report.external_call_id == whole.external_call_id
        assert_storable(report)

    check()


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
@pytest.mark.parametrize("fresh", [ABSENT, None], ids=["missing", "null"])
def test_a_call_is_read_without_any_single_field(file: Path, fresh: object) -> None:
    provider, sample = PROVIDERS[file.parent.name], json.loads(file.read_text("utf-8"))
    for place in places(sample):
        if place not in REQUIRED[provider.name]:
            document = copy.deepcopy(sample)
            changed(document, place, fresh)
            assert_storable(provider.read_report(provider.parse_envelope(json.dumps(document).encode())))


def assert_storable(report: ReportedCall) -> None:
    assert [turn.index for turn in report.turns] == list(range(len(report.turns)))
    assert report.duration_seconds is None or 0 <= report.duration_seconds <= 30 * 86_400
    assert all(turn.time_seconds >= 0 for turn in report.turns)
    json.dumps([turn.tool_calls for turn in report.turns])

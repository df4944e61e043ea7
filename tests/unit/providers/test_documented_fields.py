"""docs/providers.md says of every field of the official SDKs' models whether it is taken, and names no other model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import elevenlabs.types
import pytest
import retell.types
import vapi.types

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "providers.md").read_text("utf-8")
SDKS = {"ElevenLabs": elevenlabs.types, "Retell": retell.types, "Vapi": vapi.types}
_ROW = re.compile(r"^\| ([A-Z]\w+(?:, \w+)*) \| (.*) \| (.*) \|$", re.MULTILINE)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows() -> list[tuple[str, str, str]]:
    return [(title, row[1], f"{row[2]} {row[3]}") for title in SDKS for row in _ROW.finditer(section(title))]


def wire_name(name: str, field: Any) -> str:
    given = [part.alias for part in field.metadata if getattr(part, "alias", None)]
    return str(given[0] if given else field.alias or name)


@pytest.mark.parametrize(("title", "models", "cells"), rows(), ids=lambda value: str(value)[:30])
def test_every_field_of_the_models_is_decided(title: str, models: str, cells: str) -> None:
    # The fields of messages and of the call in them are told once.
    named = set(re.findall(r"`(\w+)`", section(title) if title == "Vapi" else cells))
    for model in models.split(", "):
        fields = getattr(SDKS[title], model).model_fields
        assert {wire_name(name, field) for name, field in fields.items()} - named == set()


def test_the_page_covers_the_three_sdks() -> None:
    assert {title for title, _, _ in rows()} == set(SDKS)

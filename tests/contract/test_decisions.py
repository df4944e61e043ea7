"""The list of decisions names every record once, with its title, and every number that is missing."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "adr"


def test_the_list_of_decisions_is_complete() -> None:
    records = {path.name: path.read_text().splitlines()[0] for path in sorted(FOLDER.glob("[0-9]*.md"))}
    expected = [f"- [{name[:4]}]({name}): {title.partition('. ')[2]}" for name, title in records.items()]
    lines = (FOLDER / "README.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("- ")] == expected


def test_every_missing_number_is_explained() -> None:
    numbers = {int(path.name[:4]) for path in FOLDER.glob("[0-9]*.md")}
    text = "\n".join(line for line in (FOLDER / "README.md").read_text().splitlines() if not line.startswith("- "))
    explained = {int(number) for number in re.findall(r"\b\d{4}\b", text)}
    assert explained == set(range(1, max(numbers) + 1)) - numbers

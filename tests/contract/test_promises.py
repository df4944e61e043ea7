"""docs/promises.md names tests that exist, and every promise but the stated ones has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| (\w+) \|.*\| (.*)\|$", (ROOT / "docs" / "promises.md").read_text("utf-8"), re.MULTILINE)[1:]
# Promises that no test shows; the page leaves their column empty.
UNSHOWN = {"K12"}


@pytest.mark.parametrize(("promise", "tests"), ROWS, ids=[promise for promise, _ in ROWS])
def test_the_tests_of_a_promise_exist(promise: str, tests: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
    assert bool(named) is (promise not in UNSHOWN)
    for file, name in named:
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{file} has no {name}"


def test_each_promise_has_one_row() -> None:
    ids = [promise for promise, _ in ROWS]
    assert len(ids) == len(set(ids)) >= 25

"""The configuration reference names every setting of every process, and what each is for."""

from __future__ import annotations

import re

from local.tools.configuration import FILE, render


def test_the_committed_reference_is_what_the_settings_say() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run `make configuration`"


def test_every_variable_is_listed_once_in_its_section() -> None:
    for section in render().split("\n## ")[1:]:
        names = re.findall(r"^\| `([A-Z_0-9]+)`", section, re.M)
        assert names
        assert len(names) == len(set(names)), section.splitlines()[0]

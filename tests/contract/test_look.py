"""The console's look of a white-label host begins with the colors of the API, and keeps to the same least contrast."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import gateway
from services.identity.domain.white_label import CONTRAST_MIN, WhiteLabel

LOOK = (Path(gateway.__file__).parent / "console" / "static" / "lib" / "look.js").read_text("utf-8")


def test_the_suites_own_colors_are_those_of_an_organization_that_set_none() -> None:
    [written] = re.findall(r"^const OWN = (\{.*\});$", LOOK, re.MULTILINE)
    own = json.loads(re.sub(r"(\w+):", r'"\1":', written))
    colors = {part.name: part.default for part in fields(WhiteLabel) if part.name.endswith("_color")}
    assert own == {name[0] + name.title().replace("_", "")[1:]: color for name, color in colors.items()}


def test_the_least_contrast_is_the_one_below_which_colors_are_refused() -> None:
    assert [float(number) for number in re.findall(r"^export const LEAST = ([\d.]+);$", LOOK, re.MULTILINE)] == [
        CONTRAST_MIN
    ]

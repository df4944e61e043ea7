"""`make browser`: a customer walks every page of the console of the running suite, in Chromium.

`--short` is the form of `make check`: a suite of its own, and each page once wide and light, once narrow and dark.
The screenshots are in var/browser. `--pictures` takes those of the README instead, after `make demo`. Where Chromium is
not installed it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import os
import sys

import pytest

from local.paths import ROOT
from local.terminal import say
from tests.browser.chromium import CHROMIUM, RUNNING_SUITE, SHORT
from tests.browser.pictures import take


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a suite of its own, two looks at each page")
    parser.add_argument("--pictures", action="store_true", help="only the README's two pictures, into docs/images")
    parser.add_argument("tests", nargs="*", default=["tests/browser"], help="some of the walk's tests")
    given = parser.parse_args()
    if CHROMIUM is None:
        say("Chromium is not installed, so nothing walked the console. On Debian:  apt-get install chromium")
        return 0
    if given.pictures:
        take()
        return 0
    os.environ[SHORT if given.short else RUNNING_SUITE] = "1"
    return int(pytest.main(["-q", "-ra", f"--rootdir={ROOT}", *(str(ROOT / path) for path in given.tests)]))


if __name__ == "__main__":
    sys.exit(main())

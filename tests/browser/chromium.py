"""Which browser walks, and what it may use. Playwright drives an installed Chromium; it brings none of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Environment variables by which __main__ tells the fixtures what to walk.
SHORT = "CONSOLE_SHORT"
RUNNING_SUITE = "CONSOLE_RUNNING_SUITE"


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium that resolves no name but this machine's. Root, as in a container, has no sandbox."""
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    if CHROMIUM is None:
        raise RuntimeError("Chromium is not installed; `python -m tests.browser` says how.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()

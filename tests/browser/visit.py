"""One customer's visit: a page of Chromium that notes every fault and leaves a screenshot of each place.

A place is looked at wide and narrow, light and dark. Each look is judged by axe-core (WCAG 2.2 AA) and by the width of
the page, and is kept in var/browser.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, Route

from local.paths import ROOT
from tests.browser.chromium import SHORT
from tests.patience import PATIENCE_SECONDS

SHOTS = ROOT / "var" / "browser"
# Milliseconds of a page's clock until it is drawn and has asked for what it shows.
DRAWN = 500
Scheme = Literal["light", "dark"]
# Width in pixels and color scheme. The narrow one is a small telephone's.
LOOKS: tuple[tuple[int, Scheme], ...] = ((1280, "light"), (390, "dark"), (1280, "dark"), (390, "light"))
HEIGHT = 900
# What a page says when it takes one kind of value for another.
MISTAKES = ("NaN", "undefined", "[object Object]", "Invalid Date")
# Values of facts as short as a time that do not stay on their line.
BROKEN_FACTS = """() => [...document.querySelectorAll('.facts dd')]
  .filter((value) => value.innerText.length <= 24
    && value.clientHeight > 1.8 * parseFloat(getComputedStyle(value).lineHeight))
  .map((value) => value.innerText)"""
# All but violations is left out: most of axe-core's time is naming the elements that pass.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


class Visit:
    """`url` is the suite's address; `faults` is what must stay empty."""

    def __init__(self, context: BrowserContext, url: str, sockets: str) -> None:
        self.url, self.page = url, context.new_page()
        self.page.set_default_timeout(30_000)
        self.faults: list[str] = []
        self.origins = {urlsplit(url).netloc, urlsplit(sockets).netloc}
        # Statuses of refusals that the present step provokes.
        self.expected: set[int] = set()
        # Requests without an answer yet: what a page that shows nothing waits for.
        self.unanswered: list[Request] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error in a script: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("websocket", lambda socket: self._on_address(socket.url))
        self.page.on("response", self._on_response)
        self.page.on("requestfinished", self._on_end)
        self.page.on("requestfailed", self._on_end)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(f"{message.type} in the log: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.unanswered.append(request)
        self._on_address(request.url)

    def _on_end(self, request: Request) -> None:
        if request in self.unanswered:
            self.unanswered.remove(request)

    def _on_address(self, address: str) -> None:
        if urlsplit(address).netloc not in self.origins and not address.startswith(("data:", "blob:")):
            self.faults.append(f"a request to another site: {address}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status} of {response.request.method} {urlsplit(response.url).path}")

    def open(self, place: str) -> Page:
        """Go to a place of the console and wait until it shows content."""
        self.page.goto(f"{self.url}/app#/{place}")
        self.settle()
        return self.page

    def sign_in(self, email: str, password: str) -> Page:
        """From the sign-in page; ends at the overview."""
        self.expected.add(401)
        self.page.goto(f"{self.url}/app#/")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        return self.page

    def sign_in_unless(self, email: str, password: str) -> None:
        """Nothing where a session is open already."""
        self.expected.add(401)
        self.page.goto(f"{self.url}/app#/")
        self.page.reload()
        self.page.locator("main h1").first.wait_for()
        if self.page.get_by_role("heading", name="Sign in").count():
            self.sign_in(email, password)

    def sign_out(self) -> None:
        self.expected.add(401)
        self.page.get_by_role("button", name="Sign out").click()
        self.page.get_by_role("heading", name="Sign in").wait_for()

    @contextmanager
    def standing_still(self, place: str) -> Iterator[Page]:
        """The place in another context of the same session, since these pages need the time. `page.clock` moves it."""
        self.page.get_by_role("button", name="Sign out").wait_for()
        chromium = self.page.context.browser
        assert chromium is not None
        context = chromium.new_context(storage_state=self.page.context.storage_state(), locale="en-US")
        page = context.new_page()
        page.clock.install()
        page.goto(f"{self.url}/app#/{place}")
        page.locator("main h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.clock.pause_at(time.time() + 60)
        yield page
        context.close()

    def told(self) -> str:
        """What the page shows and waits for, for the report of a failure."""
        waiting = [f"waits for {request.method} {urlsplit(request.url).path}" for request in self.unanswered]
        return "\n".join([self.page.url, *self.faults, *waiting, self.page.locator("body").inner_text(timeout=5_000)])

    def settle(self) -> None:
        self.page.locator("main h1").first.wait_for()
        self.page.wait_for_function("() => document.querySelector('.waiting, [aria-busy=true]') === null")

    def look(self, name: str) -> None:
        """Judge and keep what is shown, in every look."""
        for width, scheme in LOOKS[:2] if os.environ.get(SHORT) else LOOKS:
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            self.page.emulate_media(color_scheme=scheme)
            self.page.evaluate("scrollTo(0, 0)")
            where = f"{name} at {width} px, {scheme}"
            if (wide := int(self.page.evaluate("document.documentElement.scrollWidth"))) > width:
                self.faults.append(f"{where}: {wide} px wide")
            self.faults += [f"{where}: {fault}" for fault in self._violations()]
            self.faults += [f"{where}: it says {text}" for text in MISTAKES if text in self.page.inner_text("body")]
            self.faults += [f"{where}: {text} is on two lines" for text in self.page.evaluate(BROKEN_FACTS)]
            self.page.screenshot(path=_shot(name, width, scheme), full_page=True)
        self.page.set_viewport_size({"width": 1280, "height": HEIGHT})
        self.page.emulate_media(color_scheme="light")

    def _violations(self) -> list[str]:
        if self.page.evaluate("!window.axe"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("(rules) => axe.run(rules).then((results) => results.violations)", RULES)
        nodes = [(rule["id"], node) for rule in found for node in rule["nodes"]]
        return [f"{rule}: {node['html'][:160]} {node['failureSummary']}" for rule, node in nodes]


def hold(page: Page, path: str) -> list[Route]:
    """Requests whose address matches wait in the list."""
    held: list[Route] = []
    page.route(re.compile(path), lambda route: held.append(route))
    return held


def await_held(page: Page, held: list[Route], count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(held) < count:
        assert time.monotonic() < deadline, f"{len(held)} of {count} requests came"
        page.wait_for_timeout(10)


def _shot(name: str, width: int, scheme: str) -> Path:
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS / f"{name}-{width}-{scheme}.png"

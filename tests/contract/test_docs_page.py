"""The page behind /docs is fresh, whole, and runs under a policy that refuses inline code and foreign files."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from gateway.routes.documentation import FILE, PAGE, page
from libs.events.topics import LOGGED

TEXT = PAGE.read_text("utf-8")
DOCUMENT = json.loads(FILE.read_bytes())
SECTIONS = ["start", "authentication", "paging", "errors", "idempotency", "webhooks", "realtime", "events", "reference"]


class Reader(HTMLParser):
    """Ids, links and what a policy must allow."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: set[str] = set()
        self.loaded: set[str] = set()
        self.inline: list[str] = []
        self.feed(TEXT)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        self.ids += [known["id"] or ""] if "id" in known else []
        if tag == "a":
            self.targets.add(known["href"] or "")
        if tag in ("script", "img", "iframe", "link"):
            self.loaded.add(known.get("src") or known.get("href") or "inline")
        self.inline += [name for name in known if name == "style" or name.startswith("on")]


READER = Reader()


def test_the_page_is_fresh() -> None:
    assert page() == TEXT, "run `python -m gateway openapi` and commit gateway/documentation/page.html"


def test_it_has_every_section_event_and_operation_once() -> None:
    operations = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    events = [f"event-{topic}" for topic in LOGGED]
    assert len(READER.ids) == len(set(READER.ids))
    assert {*SECTIONS, *events, *operations} <= set(READER.ids)


def test_its_navigation_leads_to_every_section() -> None:
    assert {f"#{section}" for section in SECTIONS} <= READER.targets


def test_every_link_within_it_leads_somewhere() -> None:
    assert {target[1:] for target in READER.targets if target.startswith("#")} <= set(READER.ids)
    assert {target for target in READER.targets if not target.startswith("#")} == {
        "/app",
        "/openapi.json",
        "https://www.standardwebhooks.com",
    }


def test_it_loads_its_own_files_alone_and_has_nothing_inline() -> None:
    assert READER.loaded == {"/favicon.ico", "/docs/style.css", "/docs/page.js"}
    assert READER.inline == []
    assert not re.search(r"<style|<script(?! src=)", TEXT)


def test_the_languages_stand_in_one_row() -> None:
    rows = re.findall(r'<div class="codes">(.*?)</div>', TEXT, re.DOTALL)
    assert len(rows) >= 9
    for row in rows:
        assert re.findall(r"<figcaption>(\w+)", row) == ["curl", "Python", "JavaScript"]

"""What a person types into a search stays, whenever an answer arrives; the newest search is what is shown.

Time stands still in these pages, and answers are held back: the order of events decides, not how fast a machine is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.scene import Scene
from tests.browser.visit import Visit, await_held, hold
from tests.e2e.conftest import PASSWORD

# Milliseconds: of a pause in typing after which the words are asked for, and of one too short for it.
SETTLED, TYPING = 1_000, 100
# Tells the field other words within the event by which the console learns of the address that the search has changed.
TYPE_ON = """(field) => addEventListener("hashchange", () => {
  field.value += " booking";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}, { capture: true, once: true })"""
# The body of the answer to the first search is read, but given to the console at `giveAnswer()` only.
KEEP_BODY = """() => {
  const ask = fetch;
  window.fetch = async (path, ...given) => {
    const answer = await ask(path, ...given);
    if (!String(path).includes("search=Table&")) return answer;
    const text = await answer.text();
    answer.text = () => new Promise((give) => { window.giveAnswer = () => give(text); });
    return answer;
  };
}"""


@pytest.fixture
def agents(visit: Visit, scene: Scene) -> Iterator[Page]:
    """The list of agents, where time stands still."""
    visit.sign_in_unless(scene.customer.email, PASSWORD)
    with visit.standing_still("agents") as page:
        expect(_rows(page).first).to_be_visible()
        yield page


def _rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Agents").locator("tbody tr")


def _hold(page: Page, search: str) -> list[Route]:
    """Requests for these words wait in the list."""
    return hold(page, rf"/api/agents\?search={search}&")


def _asked(page: Page, held: list[Route]) -> Route:
    """The request that waits, once the pause in typing is over."""
    page.clock.run_for(SETTLED)
    await_held(page, held, 1)
    return held[-1]


def test_an_answer_that_arrives_while_a_person_types_changes_no_word(agents: Page) -> None:
    field, first, second = agents.get_by_label("Search"), _hold(agents, "Table"), _hold(agents, r"Table\+x")
    field.press_sequentially("Table")
    asked = _asked(agents, first)
    field.press_sequentially(" x")
    agents.clock.run_for(TYPING)
    asked.continue_()
    expect(_rows(agents)).to_have_text([re.compile("Table booking")])
    agents.clock.run_for(TYPING)
    expect(field).to_have_value("Table x")
    expect(field).to_be_focused()
    _asked(agents, second).continue_()
    expect(agents.get_by_text("No agent matches")).to_be_visible()
    expect(field).to_have_value("Table x")


def test_a_request_that_later_words_replace_is_no_failure(agents: Page) -> None:
    field, first, second = agents.get_by_label("Search"), _hold(agents, "Table"), _hold(agents, "Front")
    field.fill("Table")
    _asked(agents, first)
    field.fill("Front")
    asked = _asked(agents, second)
    expect(agents.get_by_role("alert")).to_have_count(0)
    asked.continue_()
    expect(_rows(agents)).to_have_text([re.compile("Front desk")])


def test_an_answer_to_earlier_words_is_not_shown_for_later_ones(agents: Page) -> None:
    agents.evaluate(KEEP_BODY)
    field = agents.get_by_label("Search")
    field.fill("Table")
    agents.clock.run_for(SETTLED)
    agents.wait_for_function("() => window.giveAnswer !== undefined")
    field.fill("Front")
    agents.clock.run_for(SETTLED)
    expect(_rows(agents)).to_have_text([re.compile("Front desk")])
    agents.evaluate("giveAnswer()")
    agents.clock.run_for(SETTLED)
    expect(_rows(agents)).to_have_text([re.compile("Front desk")])


def test_what_is_typed_while_the_address_changes_stays(agents: Page) -> None:
    field = agents.get_by_label("Search")
    field.fill("Table")
    field.evaluate(TYPE_ON)
    agents.clock.run_for(SETTLED)
    agents.clock.run_for(SETTLED)
    expect(field).to_have_value("Table booking")
    expect(_rows(agents)).to_have_text([re.compile("Table booking")])
    assert agents.url.endswith("search=Table+booking")

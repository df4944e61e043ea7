"""The page of the API's documentation: readable on a telephone, with forms that ask the suite with a customer's key."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.visit import Visit
from tests.e2e.conftest import Customer


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    visit.page.goto(f"{visit.url}/docs")
    return visit.page


def form_of(page: Page, method: str, path: str) -> Locator:
    """The form of an operation, which is made when the operation is opened."""
    title = page.locator("summary").filter(has_text=re.compile(rf"^{method} {re.escape(path)} ")).first
    details = title.locator("..")
    if details.get_attribute("open") is None:
        title.click()
    return details.locator("form.request")


def answer_of(form: Locator) -> Locator:
    """What the page shows of the answer, once the form is sent."""
    form.get_by_role("button", name="Send").click()
    return form.get_by_role("status")


def test_the_page_fits_a_telephone(visit: Visit, page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("EchoSenseiX API")
    visit.look("documentation")


def test_a_read_is_tried_with_a_key(visit: Visit, page: Page, owner: Customer) -> None:
    newest = owner.agent(name="Asked for by the documentation")
    page.get_by_label("API key for trying").fill(owner.key("agents:read")["secret"])
    form = form_of(page, "GET", "/api/agents")
    form.get_by_label("limit (query)").fill("2")
    answer = answer_of(form)
    expect(answer).to_contain_text(re.compile(r"^200 in \d+ ms"))
    expect(answer).to_contain_text("x-request-id: req_")
    expect(answer).to_contain_text(newest["id"])
    expect(answer).to_contain_text('"limit": 2')
    assert owner.http.delete(f"/api/agents/{newest['id']}").status_code == 204


def test_a_refusal_is_shown_as_it_came(visit: Visit, page: Page) -> None:
    visit.expected.add(403)
    form = form_of(page, "POST", "/api/agents")
    answer = answer_of(form)
    expect(answer).to_contain_text(re.compile(r"^403 in"))
    expect(answer).to_contain_text('"code": "missing_scope"')


def test_the_example_of_a_write_is_sent_as_it_stands_there(visit: Visit, page: Page, owner: Customer) -> None:
    page.get_by_label("API key for trying").fill(owner.key("agents:write", "agents:read")["secret"])
    form = form_of(page, "POST", "/api/agents")
    form.get_by_label("Idempotency-Key (header)").fill(secrets.token_hex(8))
    answer = answer_of(form)
    expect(answer).to_contain_text(re.compile(r"^201 in"))
    made = re.search(r'"id": "(agt_\w+)"', answer.inner_text())
    assert made
    assert owner.http.delete(f"/api/agents/{made[1]}").status_code == 204


def test_a_file_is_uploaded(visit: Visit, page: Page, owner: Customer) -> None:
    page.get_by_label("API key for trying").fill(owner.key("knowledge:write")["secret"])
    form = form_of(page, "POST", "/api/documents/upload")
    form.get_by_label("document (file)").set_input_files(
        {"name": "tried.txt", "mimeType": "text/plain", "buffer": b"The pool closes at nine."}
    )
    answer = answer_of(form)
    expect(answer).to_contain_text(re.compile(r"^202 in"))
    entry = re.search(r'"entryId": "(kbe_\w+)"', answer.inner_text())
    assert entry
    assert owner.http.delete(f"/api/knowledge-base/entries/{entry[1]}").status_code == 204

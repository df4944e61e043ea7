"""The platform's own organization: charts of the whole suite, customers of an agency, and how an organization looks."""

from __future__ import annotations

import asyncio
import io
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from local.demo.__main__ import travel
from local.demo.console import Console
from tests.browser.visit import DRAWN, Visit, await_held, hold

# Milliseconds: longer than until the charts' next point is asked for.
LATER = 15_000
CUSTOMER = f"Praxis Dr. Wüthrich-Zumbrunnen & Partner, Fachärzte für Innere Medizin {secrets.token_hex(3)}"


@pytest.fixture(scope="module", autouse=True)
def signed_in(visit: Visit, known: dict[str, str]) -> Iterator[None]:
    """As the first organization's owner, who operates the platform; the customer's session ends before."""
    visit.expected.add(401)
    visit.page.goto(f"{visit.url}/app#/")
    visit.page.reload()
    visit.page.locator("main h1").first.wait_for()
    if visit.page.get_by_role("button", name="Sign out").count():
        visit.sign_out()
    visit.sign_in(known["email"], known["password"])
    visit.page.get_by_role("navigation", name="Main").wait_for(state="attached")
    yield
    visit.page.goto(f"{visit.url}/app#/")
    visit.page.reload()
    visit.settle()
    visit.sign_out()


def test_operators_see_the_last_hour_of_the_whole_suite(visit: Visit) -> None:
    page = visit.open("operations/health")
    chart = page.get_by_role("slider", name="Response time: moment")
    expect(chart).to_have_attribute("aria-valuetext", re.compile(r"p50 .* ms, p95 .* ms, p99 .* ms"))
    for title in ("Requests a second", "Cache hit ratio by class", "Outbox: age of the oldest event"):
        expect(page.get_by_text(title, exact=True)).to_be_visible()
    services = page.get_by_role("table", name="Services").get_by_role("row")
    expect(services).to_have_count(7)
    expect(page.get_by_role("table", name="Queues of all organizations").get_by_role("row")).not_to_have_count(1)
    visit.look("suite")


def test_points_are_asked_for_once_however_late_they_come(visit: Visit) -> None:
    with visit.standing_still("") as page:
        held = hold(page, "/api/admin/figures")
        page.goto(f"{visit.url}/app#/operations/health")
        page.get_by_role("heading", name="Operations").wait_for()
        page.clock.run_for(DRAWN)
        await_held(page, held, 1)
        held[0].continue_()
        expect(page.get_by_role("slider", name="Requests a second: moment")).to_be_visible()
        page.clock.run_for(LATER)
        await_held(page, held, 2)
        page.clock.run_for(LATER)
        assert len(held) == 2, [route.request.url for route in held]
        held[1].continue_()
        page.wait_for_load_state("networkidle")


def test_a_chart_tells_its_values_by_the_arrow_keys(visit: Visit) -> None:
    page = visit.open("operations/health")
    chart = page.get_by_role("slider", name="Requests a second: moment")
    page.wait_for_function("() => document.querySelector('[role=slider]')?.getAttribute('aria-valuemax') >= 1")
    last = int(chart.get_attribute("aria-valuenow") or 0)
    chart.focus()
    chart.press("ArrowLeft")
    expect(chart).to_have_attribute("aria-valuenow", str(last - 1))
    chart.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuenow", re.compile(rf"^({last}|{last + 1})$"))


def test_the_demos_call_is_shown(visit: Visit, known: dict[str, str], operator: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as aside:  # Playwright's loop runs in this thread.
        assert aside.submit(asyncio.run, travel(known, None, "", Console(io.StringIO()))).result() == 0
    newest, *_ = operator.get("/api/call-logs", params={"search": "quadrille", "limit": 1}).json()["data"]
    page = visit.open(f"calls/{newest['id']}")
    expect(page.locator(".turn")).to_have_count(5)
    expect(page.get_by_role("table", name="Ledger entries of the call").locator("tbody tr")).to_have_count(1)
    visit.look("demo-call")


def test_a_customer_is_made_acted_in_suspended_and_resumed(visit: Visit) -> None:
    page = visit.open("customers")
    page.get_by_role("button", name="New customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(CUSTOMER)
    dialog.get_by_label("Time zone").fill("Europe/Zurich")
    visit.look("customer-new")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=CUSTOMER)).to_be_visible()
    expect(page.get_by_text("What calls may still cost")).to_be_visible()
    visit.look("customer")
    page.get_by_role("button", name="Act in this customer").click()
    expect(page.get_by_role("complementary")).to_contain_text(CUSTOMER)
    assert "#/in/org_" in page.url
    _make_an_agent(page)
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Customers")).to_have_count(0)
    visit.look("acting")
    page.get_by_role("button", name="Back to your organization").click()
    expect(page.get_by_role("complementary")).to_have_count(0)
    visit.open("agents?search=Only+of+the+customer")
    expect(page.get_by_text("No agent matches")).to_be_visible()
    visit.open("customers")
    visit.look("customers")
    page.get_by_role("link", name=CUSTOMER).click()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog").get_by_role("button", name="Suspend the customer").click()
    expect(page.get_by_text("Suspended", exact=True)).to_be_visible()
    page.get_by_role("button", name="Make active").click()
    expect(page.get_by_role("button", name="Act in this customer")).to_be_visible()


def _make_an_agent(page: Page) -> None:
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("button", name="New agent").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Only of the customer")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Only of the customer")).to_be_visible()


def test_the_way_back_in_the_history_leaves_a_customer(visit: Visit) -> None:
    page = visit.open("customers")
    page.get_by_role("row", name=CUSTOMER).get_by_role("button").click()
    expect(page.get_by_role("complementary")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Customers")).to_be_visible()
    expect(page.get_by_role("complementary")).to_have_count(0)


def test_the_address_of_a_customer_that_is_gone_leads_back(visit: Visit, operator: httpx.Client) -> None:
    own = operator.get("/api/organization").json()["id"]
    made = operator.post(f"/api/organizations/{own}/children", json={"name": "Soon gone", "timeZone": "Europe/Zurich"})
    child = made.json()
    assert operator.delete(f"/api/organizations/{own}/children/{child['id']}").status_code == 204
    visit.expected.add(403)
    page = visit.page
    page.goto(f"{visit.url}/app#/in/{child['id']}/agents")
    expect(page.get_by_role("alert")).to_contain_text("You may not act in this organization")
    visit.look("customer-gone")
    page.get_by_role("button", name="Back to your organization").click()
    page.get_by_role("navigation", name="Main").wait_for(state="attached")
    assert "#/in/" not in page.url


def test_a_look_is_previewed_refused_when_unreadable_and_shown_by_the_page(visit: Visit) -> None:
    page = visit.open("white-label")
    name, button, ink = (
        page.get_by_label(label, exact=True)
        for label in ("Name of the product", "Buttons and links", "Text on buttons")
    )
    before = [field.input_value() for field in (name, button, ink)]
    name.fill("Rheinsprung Voice")
    button.fill("#ffe08a")
    expect(page.get_by_text(re.compile(r"Text on buttons: contrast .*needed to read it"))).to_be_visible()
    visit.expected.add(422)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("contrast")
    visit.look("white-label-refused")
    button.fill("#7c2d12")
    logo = BytesIO()
    Image.new("RGB", (120, 60), "#7c2d12").save(logo, "PNG")
    page.get_by_label("Logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": logo.getvalue()})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    # A broken picture is complete too, and has no width.
    page.wait_for_function("() => document.querySelector('.preview img.logo').naturalWidth === 120")
    visit.look("white-label")
    for field, text in zip((name, button, ink), before, strict=True):
        field.fill(text)
    page.get_by_role("button", name="Use no logo").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()


def test_a_host_shows_the_record_that_proves_it(visit: Visit) -> None:
    page = visit.open("white-label/hosts")
    host = f"voice-{secrets.token_hex(4)}.example.com"
    page.get_by_role("button", name="Add a host").click()
    page.get_by_role("dialog").get_by_label("Host").fill(host)
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    dialog = page.get_by_role("dialog", name=host)
    expect(dialog).to_contain_text(f"_echosenseix.{host}")
    visit.look("host-proof")
    visit.expected |= {409, 422, 503}
    dialog.get_by_role("button", name="Look for the record").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_role("button", name="Later").click()
    visit.look("hosts")
    row = page.get_by_role("row", name=host)
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove the host").click()
    expect(row).to_have_count(0)

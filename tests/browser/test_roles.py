"""Every page as each role, and as a user who is limited to some agents: what the navigation offers refuses no one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.scene import Scene
from tests.browser.visit import Visit
from tests.e2e.conftest import PASSWORD, Customer, join, until_refused

# Areas of a user who reaches some agents, and addresses of what is closed to it.
LIMITED = ["Overview", "Agents", "Calls", "Live", "Account"]
CLOSED = (
    "knowledge", "knowledge/search", "billing", "customers", "members", "white-label", "developers",
    "developers/webhooks", "audit", "operations", "operations/health",
)  # fmt: skip
# Places behind the first row of a list that one page of each is enough to judge.
THINGS = ("agents/", "calls/", "knowledge/", "members/", "customers/", "developers/webhooks/")


@pytest.fixture(scope="module")
def people(owner: Customer, operator: httpx.Client) -> dict[str, Customer]:
    """One of each role. `limited` changes the scene's agent and reads another one; `without` reaches no agent."""
    roles = {"admin": "admin", "member": "member", "viewer": "viewer", "limited": "member", "without": "viewer"}
    return {"owner": owner, **{name: join(owner, operator, role) for name, role in roles.items()}}


@pytest.fixture(scope="module", autouse=True)
def signed_out(visit: Visit) -> Iterator[None]:
    """The page before belongs to someone else, or to no one."""
    leave(visit)
    yield
    leave(visit)


def leave(visit: Visit) -> None:
    visit.expected.add(401)
    visit.page.goto(f"{visit.url}/app#/")
    visit.page.reload()
    visit.page.locator("main h1").first.wait_for()
    if visit.page.get_by_role("button", name="Sign out").count():
        visit.sign_out()
    visit.faults.clear()


def enter(visit: Visit, person: Customer) -> Page:
    page = visit.sign_in(person.email, PASSWORD)
    page.get_by_role("navigation", name="Main").wait_for(state="attached")
    visit.settle()
    visit.expected.clear()
    return page


def areas(page: Page) -> list[str]:
    return page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()


def test_an_admin_limits_a_member_to_agents_and_sees_it(
    visit: Visit, scene: Scene, people: dict[str, Customer]
) -> None:
    page = enter(visit, people["admin"])
    page = visit.open("members")
    page.get_by_role("link", name=people["limited"].email).click()
    page.get_by_label("Only some agents").check()
    expect(page.get_by_text("No agent yet")).to_be_visible()
    for name in ("Front desk", "Table booking"):
        page.get_by_label("Add an agent").fill(name)
        page.get_by_role("button", name=f"Add {name}", exact=True).click()
    page.get_by_label("What the member may do with Front desk").select_option("write")
    visit.look("member-agents")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    page.reload()
    table = page.get_by_role("table", name="Agents that the member reaches")
    expect(table.get_by_role("row", name=re.compile("Front desk")).get_by_role("combobox")).to_have_value("write")
    expect(table.get_by_role("row", name=re.compile("Table booking")).get_by_role("combobox")).to_have_value("read")
    people["owner"].http.put(f"/api/users/{people['without'].user['id']}/agent-grants", json={"agentAccess": "granted"})
    page = visit.open("members")
    for name, reaches in (("limited", "Some"), ("without", "Some"), ("member", "All")):
        row = page.get_by_role("row", name=re.compile(re.escape(people[name].email)))
        expect(row.locator("[data-title=Agents]")).to_have_text(reaches)
    visit.open(f"members/{people['owner'].user['id']}")
    expect(page.get_by_text("Owners and admins reach all agents.")).to_be_visible()
    leave(visit)


@pytest.mark.parametrize("name", ["owner", "admin", "member", "viewer", "limited", "without"])
def test_no_page_that_is_offered_refuses(visit: Visit, people: dict[str, Customer], name: str) -> None:
    """Through the navigation, the tabs of each area, and the first thing of each list with its tabs."""
    person = people[name]
    if name in ("limited", "without"):
        until_refused(lambda: person.http.get("/api/knowledge-base/stats"), 200)
    page = enter(visit, person)
    if name in ("owner", "admin"):
        visit.expected.add(403)  # the figures of the platform, of which the page makes no alert
    seen, waiting = set[str](), [""]
    while waiting:
        place = waiting.pop()
        seen.add(place)
        visit.open(place)
        alerts = page.get_by_role("main").get_by_role("alert").all_inner_texts()
        assert alerts == [], (place, alerts)
        assert page.get_by_role("heading", name="Not open to you").count() == 0, place
        waiting += [one for one in offered(page) if one not in seen | {*waiting} and is_new(one, seen | {*waiting})]
    if name in ("limited", "without"):
        assert areas(page) == LIMITED
    else:
        assert {"", "agents", "calls", "knowledge", "members", "account", "operations"} <= seen
    leave(visit)


def offered(page: Page) -> list[str]:
    """The places that the page leads to. What an event was about may be gone."""
    selector = "nav a, main a:not(.events a)"
    links = page.eval_on_selector_all(selector, "links => links.map((link) => link.getAttribute('href'))")
    return [link.removeprefix("#/").partition("?")[0] for link in links if link and link.startswith("#/")]


def is_new(place: str, known: set[str]) -> bool:
    """Of a list's things one is opened, with all of its tabs."""
    for kind in THINGS:
        if re.match(rf"{kind}[a-z]+_", place):
            known_ones = {re.sub(rf"({kind}[^/]+).*", r"\1", one) for one in known if re.match(rf"{kind}[a-z]+_", one)}
            return not known_ones or any(place.startswith(one) for one in known_ones)
    return True


def test_a_limited_member_changes_its_agent_alone(visit: Visit, scene: Scene, people: dict[str, Customer]) -> None:
    page = enter(visit, people["limited"])
    visit.open("agents")
    rows = page.get_by_role("table", name="Agents").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(page.get_by_role("button", name="New agent")).to_have_count(0)
    visit.look("agents-limited")
    visit.open(f"agents/{scene.agent['id']}")
    expect(page.get_by_role("button", name="Publish")).to_have_count(1)
    expect(page.get_by_role("button", name="Duplicate")).to_have_count(0)
    page.get_by_label("Description").fill(f"Changed by who may, {secrets.token_hex(3)}")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    visit.open("agents")
    page.get_by_role("link", name="Table booking").click()
    expect(page.get_by_label("System prompt")).to_be_disabled()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    visit.open(f"calls/{scene.call['id']}")
    expect(page.get_by_role("heading", name="Cost")).to_have_count(0)
    visit.look("call-limited")
    visit.open("")
    visit.look("overview-limited")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for place in CLOSED:
        visit.open(place)
        expect(page.get_by_role("heading", name="Not open to you")).to_be_visible()
    visit.look("closed")
    assert [url for url in asked if "/api/" in url] == []


def test_a_limit_that_is_lifted_shows_without_a_reload(visit: Visit, scene: Scene, people: dict[str, Customer]) -> None:
    """The server ends the connection, and the page asks anew who the person is."""
    page = visit.open("live")
    expect(page.locator(".live-state")).to_have_text("Live")
    entries = page.get_by_role("link", name=re.compile(r"^entry\."))
    expect(entries).to_have_count(0)
    path = f"/api/users/{people['limited'].user['id']}/agent-grants"
    assert people["owner"].http.put(path, json={"agentAccess": "all"}).status_code == 200
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Knowledge")).to_be_visible()
    expect(page.locator(".live-state")).to_have_text("Live")
    expect(entries.first).to_be_visible()
    visit.open("agents")
    expect(page.get_by_role("button", name="New agent")).to_be_visible()

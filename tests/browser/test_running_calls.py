"""A call that runs, as a supervisor sees it: its turns as they are said, and commands with what became of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.scene import Scene
from tests.browser.visit import Visit
from tests.e2e.conftest import PASSWORD

WORDS = (
    "Good evening.",
    "How may I help you?",
    "I would like to speak to a person, please.",
    "One moment, I look for a colleague.",
)


@pytest.fixture(scope="module")
def http(scene: Scene) -> Iterator[httpx.Client]:
    """As the party that serves the call. Its session is another one than the browser's."""
    with httpx.Client(base_url=scene.customer.url, timeout=30) as client:
        token = client.post("/api/login", json={"email": scene.customer.email, "password": PASSWORD}).json()["token"]
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture(scope="module")
def path(http: httpx.Client) -> str:
    body = {"externalCallId": secrets.token_hex(8), "direction": "inbound", "fromNumber": "+41615551234"}
    answer = http.post("/api/live-calls", json=body)
    assert answer.status_code == 201, answer.text
    return f"/api/live-calls/{answer.json()['id']}"


def say(http: httpx.Client, path: str, *indexes: int) -> None:
    """Tell these turns in one request."""
    roles = ("agent", "agent", "user", "agent")
    turns = [{"index": n, "role": roles[n], "text": WORDS[n], "timeSeconds": n * 3} for n in indexes]
    answer = http.post(f"{path}/turns", json={"turns": turns})
    assert answer.status_code == 200, answer.text


def test_the_live_page_lists_the_call_with_what_was_said_last(
    visit: Visit, http: httpx.Client, path: str, scene: Scene
) -> None:
    visit.sign_in_unless(scene.customer.email, PASSWORD)
    page = visit.open("live")
    row = page.get_by_role("table", name="Calls in progress").locator("tbody tr")
    expect(row).to_have_count(1)
    say(http, path, 0, 1)
    expect(row).to_contain_text(WORDS[1])
    # The newest event is first, also of those that have one time.
    expect(page.locator(".event-text").nth(1)).to_contain_text(WORDS[0])
    expect(page.locator(".event-text").nth(0)).to_contain_text(WORDS[1])
    visit.look("live-call-listed")


def test_turns_appear_as_they_are_said(visit: Visit, http: httpx.Client, path: str) -> None:
    page = visit.open(f"calls/{path.rpartition('/')[2]}")
    expect(page.locator(".turn")).to_have_text([re.compile(re.escape(words)) for words in WORDS[:2]])
    # Whenever the page reads the call again, it gets no turn more: the next ones come over the socket alone.
    before = http.get(f"/api/call-logs/{path.rpartition('/')[2]}").text
    page.route("**/api/call-logs/*", lambda route: route.fulfill(body=before, content_type="application/json"))
    for index in (2, 3):
        say(http, path, index)
        expect(page.locator(".turn").nth(index)).to_contain_text(WORDS[index])
    visit.look("live-call")
    page.unroute("**/api/call-logs/*")


def test_a_command_is_sent_and_its_acknowledgement_shown(visit: Visit, http: httpx.Client, path: str) -> None:
    page = visit.page
    page.get_by_role("button", name="Tell the agent").click()
    page.get_by_label("What the agent should know").fill("The caller is a regular guest.")
    page.get_by_label("Give up after").select_option("300")
    visit.look("command")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    row = page.get_by_role("table", name="Commands").get_by_role("row", name=re.compile("regular guest"))
    expect(row).to_contain_text(re.compile(r"Pending\s*\d+ s left"))
    (waiting,) = http.get(f"{path}/commands", params={"status": "pending"}).json()["data"]
    done = http.post(f"{path}/commands/{waiting['id']}/ack", json={"status": "acknowledged", "detail": "Told."})
    assert done.status_code == 200, done.text
    expect(row).to_contain_text(re.compile(r"Acknowledged\s*Told\."))
    visit.look("command-acknowledged")


def test_a_command_that_no_one_takes_times_out_on_the_page(visit: Visit, http: httpx.Client, path: str) -> None:
    sent = http.post(f"{path}/commands", json={"type": "transfer", "to": "+41615550000", "timeoutSeconds": 1})
    assert sent.status_code == 201, sent.text
    row = visit.page.get_by_role("row", name=re.compile("61555 ?0000|615550000"))
    expect(row).to_contain_text("Timed out")


def test_the_end_of_the_call_takes_the_actions_away_and_settles_what_waits(
    visit: Visit, http: httpx.Client, path: str
) -> None:
    page = visit.page
    sent = http.post(f"{path}/commands", json={"type": "transfer", "to": "+41615550011", "timeoutSeconds": 300})
    assert sent.status_code == 201, sent.text
    page.get_by_role("button", name="End the call").click()
    page.get_by_role("dialog").get_by_role("button", name="End the call").click()
    expect(page.get_by_role("row", name=re.compile("End call"))).to_contain_text("Pending")
    ended = http.post(f"{path}/end", json={"status": "completed", "terminationReason": "ended by the supervisor"})
    assert ended.status_code == 200, ended.text
    expect(page.get_by_role("button", name="End the call")).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("End call"))).to_contain_text(
        re.compile(r"Acknowledged\s*The call ended\.")
    )
    expect(page.get_by_role("row", name=re.compile("615550011"))).to_contain_text(
        re.compile(r"Failed\s*The call ended\.")
    )
    expect(page.get_by_role("heading", name="Call").locator("..")).to_contain_text("Completed")
    expect(page.locator(".turn")).to_have_count(len(WORDS))
    visit.look("live-call-ended")


def test_a_source_is_followed_and_its_page_becomes_an_entry(visit: Visit, scene: Scene) -> None:
    page = visit.open("knowledge/sources")
    page.get_by_role("button", name="Follow an address").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill(scene.receiver.url)
    dialog.get_by_label("Title").fill("Rules of the house")
    visit.look("source-new")
    dialog.get_by_role("button", name="Follow", exact=True).click()
    row = page.get_by_role("row", name=re.compile("Rules of the house"))
    expect(row).to_contain_text("Current")
    visit.look("sources")
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("Read it again").select_option("604800")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    row.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)

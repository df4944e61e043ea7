"""A customer walks through the console, from sign-in to sign-out. The steps follow each other in one session."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import expect

from tests.browser.scene import CALLS, DOCUMENT, Scene
from tests.browser.visit import Visit
from tests.e2e.conftest import PASSWORD

# What a new organization's pages tell it to do.
EMPTY = {
    "agents": "Create the first one",
    "calls": "Connect a voice platform",
    "knowledge": "Upload a document",
    "developers": "Create one for each program",
    "developers/webhooks": "receives events",
}


def test_a_stranger_sees_the_sign_in_and_a_wrong_password_is_told(visit: Visit, scene: Scene) -> None:
    page = visit.page
    visit.expected.add(401)
    page.goto(visit.url)
    expect(page).to_have_url(re.compile(r"/app$"))
    page.get_by_role("heading", name="Sign in").wait_for()
    visit.look("sign-in")
    page.get_by_label("E-mail address").fill(scene.customer.email)
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Not authenticated")
    expect(alert).to_contain_text(re.compile(r"Request\s*req_"))
    visit.look("sign-in-refused")
    assert visit.page.evaluate("document.cookie") == ""


def test_the_keyboard_alone_signs_in_and_skips_to_the_content(visit: Visit, scene: Scene) -> None:
    page = visit.page
    visit.expected.add(401)
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type(scene.customer.email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Hotel Adler").wait_for()
    page.reload()
    page.get_by_role("heading", name="Hotel Adler").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert "esx_" not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


def test_the_overview_counts_the_calls_and_draws_them(visit: Visit) -> None:
    page = visit.open("")
    expect(page.locator(".numbers")).to_contain_text(str(CALLS))
    expect(page.locator(".live-state")).to_have_text("Live")
    assert page.locator(".chart rect.bar").count() == 31
    visit.look("overview")


def test_an_agent_is_created_edited_and_published(visit: Visit, scene: Scene) -> None:
    page = visit.open("agents")
    expect(page.get_by_role("row")).to_have_count(4)
    visit.look("agents")
    page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_visible()
    visit.look("agent-new")
    dialog.get_by_label("Name").fill("Night desk <b>ü</b>")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Night desk <b>ü</b>").wait_for()
    page.get_by_label("System prompt").fill("You answer at night.")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("dialog").get_by_label("What is new").fill("For the night")
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 is published").first).to_be_visible()
    found = scene.customer.http.get("/api/agents", params={"search": "Night"}).json()["data"]
    assert [(one["name"], one["publishedVersion"]) for one in found] == [("Night desk <b>ü</b>", 1)]


def test_a_field_that_the_api_refuses_shows_its_words_at_the_field(visit: Visit, scene: Scene) -> None:
    page = visit.open(f"agents/{scene.agent['id']}")
    page.get_by_label("Language", exact=True).fill("not a language")
    visit.expected.add(422)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("alert")).to_contain_text("Validation failed")
    expect(page.get_by_label("Language", exact=True)).to_have_attribute("aria-invalid", "true")
    visit.look("agent-refused")


def test_a_change_by_someone_else_is_not_overwritten(visit: Visit, scene: Scene) -> None:
    visit.open("agents")
    page = visit.open(f"agents/{scene.agent['id']}")
    page.get_by_label("Description").fill("Mine")
    scene.customer.http.patch(f"/api/agents/{scene.agent['id']}", json={"description": "Theirs"})
    visit.expected.add(412)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("alert")).to_contain_text("Precondition failed")
    page.get_by_role("button", name="Read the newer agent").click()
    expect(page.get_by_label("Description")).to_have_value("Theirs")
    visit.look("agent")


def test_two_versions_are_compared_line_by_line(visit: Visit, scene: Scene) -> None:
    page = visit.open(f"agents/{scene.agent['id']}/versions")
    page.get_by_label("From").select_option("1")
    page.get_by_label("To").select_option("2")
    expect(page.locator(".difference .in")).to_have_text(re.compile("Speak slowly when the caller asks"))
    expect(page.locator(".difference .out")).to_have_count(0)
    visit.look("agent-versions")


def test_calls_are_filtered_searched_and_paged_in_the_address(visit: Visit) -> None:
    page = visit.open("calls")
    expect(page.locator(".pager")).to_contain_text(f"{CALLS} in all")
    visit.look("calls")
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(r"page=2"))
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator(".pager")).to_contain_text("Page 2 of 3")
    page.get_by_label("Result").select_option("false")
    expect(page).to_have_url(re.compile(r"successful=false"))
    expect(page.locator("tbody tr").first).to_contain_text("Invoice for March")
    # Days are the reader's: the walk's are those of Zurich.
    page.get_by_label("From").fill("2026-05-03")
    page.get_by_label("Until").fill("2026-05-03")
    expect(page).to_have_url(re.compile(r"startedAtGe=2026-05-02T22%3A00.*startedAtLt=2026-05-03T22%3A00"))
    expect(page.get_by_label("From")).to_have_value("2026-05-03")
    expect(page.get_by_label("Until")).to_have_value("2026-05-03")
    page.get_by_label("Search").fill("nothing has these words")
    expect(page.get_by_text("No call matches")).to_be_visible()
    visit.look("calls-none")


def test_a_call_shows_its_turns_recording_cost_and_events(visit: Visit, scene: Scene) -> None:
    page = visit.open(f"calls/{scene.call['id']}")
    expect(page.locator(".turn")).to_have_count(5)
    expect(page.locator(".turn").nth(3)).to_contain_text("The name is <img src=x onerror=alert(1)> Müller, with ü.")
    expect(page.get_by_role("table", name="Ledger entries of the call").locator("tbody tr")).to_have_count(1)
    expect(page.locator(".events")).to_contain_text("call.ended")
    page.wait_for_function("() => document.querySelector('audio').duration > 5")
    page.get_by_role("button", name="Play from 0:03").click()
    page.wait_for_function("() => document.querySelector('audio').currentTime >= 3")
    page.evaluate("document.querySelector('audio').pause()")
    visit.look("call")


def test_a_document_is_uploaded_with_progress_and_found_with_highlights(visit: Visit) -> None:
    page = visit.open("knowledge")
    page.get_by_label("Choose documents").set_input_files(
        {"name": "house rules.txt", "mimeType": "text/plain", "buffer": "Breakfast 🥐 is from seven to ten.".encode()}
    )
    expect(page.locator(".uploads")).to_contain_text("searchable")
    expect(page.get_by_role("link", name="house rules")).to_be_visible()
    visit.look("knowledge")
    page = visit.open("knowledge/search")
    page.get_by_label("Question").fill("When is breakfast?")
    page.keyboard.press("Enter")
    expect(page.locator(".hits mark").first).to_have_text("Breakfast")
    visit.look("knowledge-search")


def test_an_entry_shows_its_passages_page_by_page(visit: Visit, scene: Scene) -> None:
    page = visit.open(f"knowledge/{scene.entry}")
    expect(page.locator(".passages li")).to_have_count(10)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("Page 2")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes() == DOCUMENT.read_bytes()
    visit.look("entry")


def test_an_entry_that_an_agent_uses_is_deleted_after_a_second_question(visit: Visit, scene: Scene) -> None:
    client = scene.customer.http
    text = {"title": "Parking", "content": "The garage opens at six."}
    entry = client.post("/api/knowledge-base/entries", json=text).json()["id"]
    agent = client.post("/api/agents", json={"name": "Valet <b>", "knowledgeEntryIds": [entry]}).json()["id"]
    path = f"/api/knowledge-base/entries/{entry}"
    page = visit.open(f"knowledge/{entry}")
    visit.expected |= {404, 409}
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("1 agent speaks from it: Valet <b>")
    expect(dialog.get_by_role("link", name="Valet <b>")).to_have_attribute("href", f"#/agents/{agent}")
    assert client.get(path).status_code == 200
    visit.look("entry-in-use")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("button", name="Delete it anyway")).to_have_count(0)
    dialog.get_by_role("button", name="Delete", exact=True).click()
    dialog.get_by_role("button", name="Delete it anyway").click()
    page.get_by_role("heading", name="Knowledge").wait_for()
    assert client.get(path).status_code == 404
    client.delete(f"/api/agents/{agent}")


def test_the_live_page_shows_an_event_as_it_happens(visit: Visit, scene: Scene) -> None:
    page = visit.open("live")
    expect(page.locator(".live-state")).to_have_text("Live")
    page.locator(".events li").first.wait_for()
    scene.customer.http.post("/api/agents", json={"name": "Made while the page is open"})
    expect(page.locator(".events li", has_text="Made while the page is open")).to_have_count(1)
    visit.look("live")


def test_billing_shows_balance_usage_and_ledger_and_takes_credit(visit: Visit) -> None:
    page = visit.open("billing")
    page.get_by_role("button", name="Add credit").click()
    page.get_by_role("dialog").get_by_role("button", name="Add credit").click()
    expect(page.get_by_role("table", name="Ledger")).to_contain_text("Top-up")
    page.get_by_role("button", name="Compare with the calls").click()
    expect(page.get_by_text("no difference")).to_contain_text(f"{CALLS} calls")
    assert page.locator(".chart rect.bar").count() == 30
    visit.look("billing")


def test_an_api_key_is_created_shown_once_rotated_and_revoked(visit: Visit) -> None:
    page = visit.open("developers")
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Booking system")
    visit.look("key-new")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    secret = page.locator(".secret")
    expect(secret).to_have_text(re.compile("^esx_"))
    first = secret.inner_text()
    page.get_by_role("button", name="I have stored it").click()
    row = page.get_by_role("row", name=re.compile("Booking system"))
    expect(row).to_be_visible()
    assert first not in page.content()
    visit.look("keys")
    row.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(secret).to_have_text(re.compile("^esx_"))
    assert secret.inner_text() != first
    page.get_by_role("button", name="I have stored it").click()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)


def test_a_webhook_endpoint_is_tested_and_a_delivery_replayed(visit: Visit, scene: Scene) -> None:
    page = visit.open("developers/webhooks")
    visit.look("webhooks")
    page.get_by_role("link", name=scene.receiver.url).click()
    scene.receiver.status = 500
    page.get_by_role("button", name="Send a test").click()
    row = page.get_by_role("row", name=re.compile("webhook.test"))
    expect(row.locator("[data-title=Answer]")).to_have_text("HTTP 500")
    scene.receiver.status = 204
    expect(row).to_contain_text("Delivered")
    attempts = int(row.locator("[data-title=Attempts]").inner_text())
    before = len(scene.receiver.bodies)
    row.get_by_role("button", name="Deliver again").click()
    expect(page.get_by_text("The event is delivered again.")).to_be_visible()
    expect(row.locator("[data-title=Attempts]")).to_have_text(str(attempts + 1))
    expect(row).to_contain_text("Delivered")
    assert len(scene.receiver.bodies) > before
    visit.look("endpoint")


def test_voice_platforms_show_their_webhook_address_and_no_credential(visit: Visit) -> None:
    page = visit.open("developers/providers")
    expect(page.get_by_text("/api/webhooks/elevenlabs/")).to_be_visible()
    assert "wsec_" not in page.content()
    visit.look("providers")


def test_operations_show_jobs_with_their_attempts_and_queues(visit: Visit) -> None:
    page = visit.open("operations")
    page.get_by_role("button", name="document.process").first.click()
    expect(page.get_by_role("table", name="Attempts")).to_be_visible()
    visit.look("job")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    visit.look("jobs")
    for place in ("queues", "dead-letters", "dead-events", "schedules", "mail", "health"):
        if place == "health":
            visit.expected.add(403)  # a customer is told so, and sees what everyone may
        visit.open(f"operations/{place}")
        visit.look(place)


def test_the_organization_is_renamed_and_a_session_ended(visit: Visit, scene: Scene) -> None:
    page = visit.open("account")
    page.get_by_label("Name").fill("Hotel Adler Basel")
    page.get_by_label("Time zone").fill("Europe/Zurich")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Hotel Adler Basel")).to_be_visible()
    visit.look("account")
    page = visit.open("account/sessions")
    rows = page.get_by_role("table", name="Sessions").get_by_role("row")
    expect(rows.filter(has_text="This one")).to_have_count(1)
    before = rows.count()
    page.get_by_role("button", name="End", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="End the session").click()
    expect(rows).to_have_count(before - 1)


def test_an_unknown_place_and_a_foreign_id_are_told(visit: Visit) -> None:
    page = visit.open("nowhere")
    page.get_by_role("heading", name="No such page").wait_for()
    visit.expected.add(404)
    page = visit.open("calls/call_01m8f2qwjdezyaw6bk0whv7h71")
    expect(page.get_by_role("alert")).to_contain_text("Not found")
    visit.look("call-missing")


def test_the_narrow_menu_opens_and_the_session_ends_with_sign_out(visit: Visit) -> None:
    page = visit.open("")
    page.set_viewport_size({"width": 390, "height": 900})
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.click()
    visit.look("menu")
    page.set_viewport_size({"width": 390, "height": 900})
    page.get_by_role("link", name="Overview").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Calls", exact=True).click()
    page.get_by_role("heading", name="Calls").wait_for()
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    visit.expected.add(401)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.evaluate("fetch('/api/auth/user').then((answer) => answer.status)") == 401


def test_an_organization_is_created_and_its_empty_pages_say_what_to_do(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Create an organization").click()
    visit.look("register")
    page.get_by_label("Organization").fill("Fresh Start")
    page.get_by_label("E-mail address").fill(f"fresh-{secrets.token_hex(5)}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="Fresh Start").wait_for()
    for place, text in EMPTY.items():
        page = visit.open(place)
        expect(page.locator(".empty").first).to_contain_text(text)
        visit.look(f"empty-{place.replace('/', '-')}")
    page.get_by_role("button", name="Sign out").click()

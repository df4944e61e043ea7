"""People: invitations, roles, a forgotten password, the second factor, sessions that end, and the audit log."""

from __future__ import annotations

import re
import secrets
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.browser.scene import Scene
from tests.browser.visit import Visit
from tests.e2e.conftest import PASSWORD
from tests.e2e.mailbox import mailed_token

VIEWER = f"viewer-{secrets.token_hex(5)}@example.com"
NEW_PASSWORD = "staple of another horse"
# What a viewer must not find, by place.
WRITES = {
    "agents": "New agent",
    "knowledge": "Write a text",
    "knowledge/sources": "Follow an address",
    "billing": "Add credit",
    "members": "Invite",
    "developers": "New key",
    "developers/webhooks": "New endpoint",
    "developers/providers": "Connect",
    "customers": "New customer",
    "white-label": "Save",
    "white-label/hosts": "Add a host",
}


def test_a_person_is_invited_and_the_mail_is_sent_again(visit: Visit, scene: Scene) -> None:
    page = visit.sign_in(scene.customer.email, PASSWORD)
    page.get_by_role("link", name="Members").click()
    expect(page.get_by_role("table", name="Members")).to_contain_text(scene.customer.email)
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("E-mail address").fill(VIEWER)
    page.get_by_label("Role").select_option("viewer")
    expect(page.get_by_role("dialog")).to_contain_text("calls:read")
    visit.look("invite")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = visit.open("members/invitations")
    row = page.get_by_role("row", name=re.compile(re.escape(VIEWER)))
    expect(row).to_contain_text("Pending")
    expect(row).to_contain_text("in 7 days")
    row.get_by_role("button", name="Send again").click()
    expect(page.get_by_text(f"on its way to {VIEWER} again")).to_be_visible()
    visit.look("invitations")
    visit.sign_out()


def test_the_mailed_link_shows_the_offer_and_joins(visit: Visit, operator: httpx.Client) -> None:
    token = mailed_token(operator, VIEWER, "/accept-invitation")
    page = visit.page
    visit.expected.add(401)
    page.goto(f"{visit.url}/app#/accept-invitation/{token}")
    page.get_by_role("heading", name="Join Hotel Adler").wait_for()
    expect(page.locator(".facts")).to_contain_text(VIEWER)
    visit.look("accept-invitation")
    page.get_by_label("First name").fill("Wim")
    page.get_by_label("New password").fill("12345678")
    visit.expected.add(422)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("You are a member of Hotel Adler")).to_be_visible()
    page.get_by_role("link", name="Go to the console").click()
    page.get_by_role("heading", name="Sign in").wait_for()


def test_a_used_link_says_so(visit: Visit, operator: httpx.Client) -> None:
    token = mailed_token(operator, VIEWER, "/accept-invitation")
    visit.expected |= {401, 404}
    visit.page.goto(f"{visit.url}/app#/accept-invitation/{token}")
    expect(visit.page.get_by_role("alert")).to_contain_text(re.compile("link", re.IGNORECASE))
    visit.look("accept-invitation-used")


def test_a_viewer_sees_no_button_that_writes_and_the_api_refuses_anyway(visit: Visit, scene: Scene) -> None:
    page = visit.sign_in(VIEWER, PASSWORD)
    page.get_by_role("heading", name="Hotel Adler").wait_for()
    for place, button in WRITES.items():
        visit.open(place)
        expect(page.get_by_role("button", name=button)).to_have_count(0)
        expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)
    page = visit.open(f"agents/{scene.agent['id']}")
    expect(page.get_by_label("System prompt")).to_be_disabled()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    visit.look("agent-as-viewer")
    visit.open("operations")
    expect(page.get_by_role("navigation", name="Parts of operations").get_by_role("link")).to_have_text(
        ["Jobs", "Health"]
    )
    visit.expected.add(403)
    status = page.evaluate(
        "(id) => fetch(`/api/agents/${id}`, {method: 'DELETE'}).then((answer) => answer.status)", scene.agent["id"]
    )
    assert status == 403
    visit.sign_out()


def test_a_forgotten_password_is_set_by_mail(visit: Visit, operator: httpx.Client) -> None:
    page = visit.page
    visit.expected.add(401)
    page.get_by_role("button", name="Forgot the password?").click()
    page.get_by_label("E-mail address").fill(VIEWER)
    visit.look("forgot-password")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("A mail is on its way")).to_be_visible()
    token = mailed_token(operator, VIEWER, "/reset-password")
    page.goto(f"{visit.url}/app#/reset-password/{token}")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    visit.look("reset-password")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("The password is set")).to_be_visible()
    page = visit.sign_in(VIEWER, NEW_PASSWORD)
    page.get_by_role("heading", name="Hotel Adler").wait_for()


def test_a_second_factor_is_turned_on_asked_for_and_turned_off(visit: Visit) -> None:
    page = visit.open("account/security")
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("dialog").get_by_label("Your password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("img", name="The secret as a QR code").wait_for()
    [read] = zxingcpp.read_barcodes(Image.open(BytesIO(page.locator(".qr").screenshot())))
    page.get_by_text("Enter the secret by hand").click()
    secret = page.locator(".secret").inner_text().replace(" ", "")
    assert parse_qs(urlsplit(read.text).query)["secret"] == [secret]
    page.get_by_text("Enter the secret by hand").click()
    visit.look("second-factor-secret")
    page.get_by_label("First code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("dialog").get_by_role("button", name="Turn on").click()
    codes = page.locator(".codes li")
    expect(codes.first).to_be_visible()
    first, second = codes.all_inner_texts()[:2]
    visit.look("recovery-codes")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert {first, second} < set(saved.value.path().read_text("utf-8").split())
    page.get_by_role("button", name="I have stored them").click()
    expect(page.get_by_text("recovery codes left")).to_be_visible()
    visit.look("account-security")
    visit.sign_out()
    visit.sign_in(VIEWER, NEW_PASSWORD)
    page.get_by_role("heading", name="Second factor").wait_for()
    expect(page.get_by_label("Code")).to_be_focused()
    visit.look("second-factor")
    page.get_by_label("Code").fill(first)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Hotel Adler").wait_for()
    visit.open("account/security")
    page.get_by_role("button", name="Turn off").click()
    page.get_by_role("dialog").get_by_label("Code").fill(second)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Turn on")).to_be_visible()
    visit.sign_out()


def test_a_session_that_ends_asks_again_and_keeps_what_was_entered(visit: Visit, scene: Scene) -> None:
    page = visit.sign_in(scene.customer.email, PASSWORD)
    page.get_by_role("heading", name=re.compile("Hotel Adler")).wait_for()
    page = visit.open(f"agents/{scene.agent['id']}")
    page.get_by_label("First message").fill("What was entered stays.")
    assert page.evaluate("fetch('/api/logout', {method: 'POST'}).then((answer) => answer.status)") == 204
    visit.expected.add(401)
    page.get_by_role("button", name="Save the draft").click()
    dialog = page.get_by_role("dialog", name="Your session has ended")
    expect(dialog.get_by_label("E-mail address")).to_have_value(scene.customer.email)
    visit.look("session-ended")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("First message")).to_have_value("What was entered stays.")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    expect(page.locator(".live-state")).to_have_text("Live")


def test_a_role_changes_and_a_member_is_removed(visit: Visit) -> None:
    page = visit.open("members")
    page.get_by_label(f"Role of {VIEWER}").select_option("member")
    expect(page.get_by_text(f"{VIEWER} is member now")).to_be_visible()
    visit.look("members")
    row = page.get_by_role("row", name=re.compile(re.escape(VIEWER)))
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove the member").click()
    expect(row).to_have_count(0)


def test_a_dialog_keeps_the_focus_closes_on_escape_and_gives_it_back(visit: Visit) -> None:
    page = visit.open("members")
    page.get_by_role("button", name="Invite").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("E-mail address")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        # The browser's own controls come between the last and the first element of a dialog.
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Invite")).to_be_focused()


def test_the_audit_log_names_who_did_what(visit: Visit, scene: Scene) -> None:
    page = visit.open("audit")
    rows = page.get_by_role("table", name="Audit log").locator("tbody tr")
    expect(rows.first).to_be_visible()
    page.get_by_label("Person").select_option(label=scene.customer.email)
    expect(rows.first).to_contain_text(scene.customer.email)
    visit.look("audit")
    rows.first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("req_")
    visit.look("audit-entry")
    visit.open("audit/seals")
    visit.look("seals")


def test_the_account_shows_its_sessions_mails_and_organizations(visit: Visit) -> None:
    page = visit.open("account/sessions")
    expect(page.get_by_role("table", name="Sessions")).to_contain_text("Chrome")
    visit.look("sessions")
    page.get_by_role("button", name="End all others").click()
    page.get_by_role("dialog").get_by_role("button", name="End them").click()
    expect(page.get_by_role("table", name="Sessions").locator("tbody tr")).to_have_count(1)
    page = visit.open("account/mails")
    box = page.get_by_label("the credit runs low")
    expect(box).to_be_checked()
    box.uncheck()
    expect(page.get_by_text("You get no more of these mails.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("the credit runs low")).not_to_be_checked()
    page.get_by_label("the credit runs low").check()
    visit.look("mails")
    page = visit.open("account/organizations")
    expect(page.get_by_role("table", name="Organizations")).to_contain_text("This one")
    visit.look("organizations")

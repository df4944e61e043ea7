"""The README's two pictures, of the running suite after `make demo`: a call that has ended, and what happens now.

For the second one a call is told while the picture is taken."""

from __future__ import annotations

import json
import secrets

import httpx
from playwright.sync_api import Page, expect

from local.paths import ROOT
from local.terminal import say
from tests.browser.chromium import browser
from tests.browser.visit import HEIGHT, Visit

IMAGES = ROOT / "docs" / "images"
SAID = ("Good morning, Wonderland Tours. How may I help you?", "Which tours have a place free on Saturday?")


def take() -> None:
    """Write docs/images. A fault of the console ends it, as one ends the walk."""
    known = json.loads((ROOT / "var" / "credentials.json").read_text("utf-8"))
    headers = {"Authorization": f"Bearer {known['apiKey']}"}
    with httpx.Client(base_url=known["url"], headers=headers, timeout=30) as client, browser() as chromium:
        context = chromium.new_context(viewport={"width": 1280, "height": HEIGHT}, locale="en-US", timezone_id="UTC")
        visit = Visit(context, known["url"], known["realtimeUrl"])
        visit.sign_in(known["email"], known["password"]).get_by_role("button", name="Sign out").wait_for()
        (call,) = _done(client.get("/api/call-logs", params={"search": "quadrille", "limit": 1}))["data"]
        page = visit.open(f"calls/{call['id']}")
        expect(page.get_by_role("table", name="Ledger entries of the call").locator("tbody tr")).to_have_count(1)
        _keep(page, "console-call")
        page = visit.open("live")
        expect(page.locator(".live-state")).to_contain_text("Live")
        path = f"/api/live-calls/{_begun(client)}"
        turns = [{"index": n, "role": "user" if n else "agent", "text": text} for n, text in enumerate(SAID)]
        _done(client.post(f"{path}/turns", json={"turns": turns}))
        expect(page.get_by_role("table", name="Calls in progress")).to_contain_text(SAID[-1])
        _keep(page, "console-live")
        _done(client.post(f"{path}/end", json={}))
        if visit.faults:
            raise SystemExit("\n".join(visit.faults))


def _begun(client: httpx.Client) -> str:
    body = {"externalCallId": secrets.token_hex(8), "direction": "inbound", "fromNumber": "+4930222222"}
    return str(_done(client.post("/api/live-calls", json=body))["id"])


def _done(answer: httpx.Response) -> dict[str, list[dict[str, str]]]:
    answer.raise_for_status()
    body: dict[str, list[dict[str, str]]] = answer.json()
    return body


def _keep(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    say(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")

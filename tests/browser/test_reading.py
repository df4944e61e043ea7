"""What a page reads again and again is shown however late the answers are.

Time stands still, and answers are held back: the order of events decides."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.scene import Scene
from tests.browser.visit import DRAWN, Visit, await_held, hold
from tests.e2e.conftest import PASSWORD

# Milliseconds in which the page of jobs asks again twice.
TWO_LOOKS = 11_000


def test_an_answer_that_is_later_than_the_next_look_is_shown(visit: Visit, scene: Scene) -> None:
    visit.sign_in_unless(scene.customer.email, PASSWORD)
    with visit.standing_still("") as page:
        held = hold(page, r"/api/jobs\?")
        page.goto(f"{visit.url}/app#/operations")
        page.get_by_role("heading", name="Operations").wait_for()
        page.clock.run_for(DRAWN)
        await_held(page, held, 1)
        page.clock.run_for(TWO_LOOKS)
        held[0].continue_()
        expect(page.get_by_role("table", name="Jobs")).to_be_visible()
        page.clock.run_for(DRAWN)
        # The looks meanwhile became one request, which followed the answer.
        await_held(page, held, 2)
        held[1].continue_()
        expect(page.locator(".table[aria-busy=true]")).to_have_count(0)
        assert len(held) == 2

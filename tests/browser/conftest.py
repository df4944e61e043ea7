"""The walk's suite, customer and browser: one of each for all of its steps, which follow each other."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Iterator
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import expect

from local.paths import ROOT
from local.runner.suite import Suite
from tests.browser.chromium import RUNNING_SUITE, browser
from tests.browser.scene import Scene, furnish, receiving
from tests.browser.visit import Visit
from tests.e2e.conftest import PASSWORD, Customer

# Of the reader: days and times are shown in it, and not in UTC.
TIME_ZONE = "Europe/Zurich"
# Milliseconds until what a step waits for must be there: a busy machine's jobs and deliveries take their time.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> dict[str, str]:
    """The first organization's credentials and the URLs: of the running suite for `make browser`, else of a suite of
    the tests."""
    if os.environ.get(RUNNING_SUITE):
        credentials: dict[str, str] = json.loads((ROOT / "var" / "credentials.json").read_text("utf-8"))
        return credentials
    suite: Suite = request.getfixturevalue("suite")
    return suite.credentials


@pytest.fixture(scope="session")
def addresses(known: dict[str, str]) -> tuple[str, str]:
    return known["url"], known["realtimeUrl"]


@pytest.fixture(scope="session")
def operator(known: dict[str, str]) -> Iterator[httpx.Client]:
    """Of the platform's own organization, which reads the local mailbox."""
    headers = {"Authorization": f"Bearer {known['apiKey']}"}
    with httpx.Client(base_url=known["url"], headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def scene(addresses: tuple[str, str]) -> Iterator[Scene]:
    url, _ = addresses
    email = f"walk-{secrets.token_hex(5)}@example.com"
    person = {"firstName": "Lena", "lastName": "Vogt", "organizationName": "Hotel Adler"}
    with httpx.Client(base_url=url, timeout=30) as client, receiving() as receiver:
        registered = client.post("/api/register", json={"email": email, "password": PASSWORD, **person})
        assert registered.status_code == 201, registered.text
        token = client.post("/api/login", json={"email": email, "password": PASSWORD}).json()["token"]
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {token}"
        body = registered.json()
        customer = Customer(url, email, body["user"], body["organization"], token, client)
        yield furnish(customer, receiver)
        for opened in customer.opened.values():
            opened.close()


@pytest.fixture(scope="module")
def owner(scene: Scene) -> Customer:
    """The scene's owner in a session of its own: tests before may have ended the others."""
    customer = scene.customer
    sent = {"email": customer.email, "password": PASSWORD}
    token = customer.bearing(None).post("/api/login", json=sent).json()["token"]
    return replace(customer, token=token, http=customer.bearing(token))


@pytest.fixture(scope="session")
def visit(addresses: tuple[str, str], scene: Scene) -> Iterator[Visit]:
    """A browser in which the customer has not signed in yet; the first step does."""
    with browser() as chromium:
        context = chromium.new_context(
            viewport={"width": 1280, "height": 900}, locale="en-US", timezone_id=TIME_ZONE, reduced_motion="reduce"
        )
        yield Visit(context, *addresses)


@pytest.fixture(autouse=True)
def faultless(visit: Visit) -> Iterator[None]:
    """Each step ends without an error in the log, a refused request, another site's address or a violation."""
    visit.faults.clear()
    visit.expected.clear()
    yield
    assert not visit.faults, "\n".join(visit.faults)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed step's report has what the page showed then."""
    report = yield
    visit = getattr(item, "funcargs", {}).get("visit")
    if report.when == "call" and report.failed and isinstance(visit, Visit):
        report.sections.append(("the page", visit.told()))
    return report

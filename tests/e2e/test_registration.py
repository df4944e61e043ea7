"""Registration by a mailed link on a running suite, with the local mailbox."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import httpx
import pytest

from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from .conftest import PASSWORD, problem
from .mailbox import mailed_token


@pytest.fixture(scope="module")
def suite_by_mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Its first organization is the one of `make up`, registered before addresses were verified."""
    folder = tmp_path_factory.mktemp("by-mail")
    with Suite(folder, environment={"LIMITS": "bench"}):
        pass
    with Suite(folder, environment={"LIMITS": "bench", "EMAIL_VERIFICATION": "link"}) as running:
        yield running


def sent(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "organizationName": "Engines"}


def operator(suite: Suite) -> httpx.Client:
    return httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=30)


def test_an_account_begins_with_its_link(suite_by_mail: Suite) -> None:
    url, email = suite_by_mail.url, f"{secrets.token_hex(6)}@example.com"
    first = httpx.post(f"{url}/api/register", json=sent(email))
    taken = httpx.post(f"{url}/api/register", json=sent(suite_by_mail.credentials["email"]))
    assert [first.status_code, taken.status_code] == [202, 202]
    assert first.json() == taken.json() == {"user": None, "organization": None}
    signing_in = {"email": email, "password": PASSWORD}
    problem(httpx.post(f"{url}/api/login", json=signing_in), 403, "email_not_verified")
    problem(httpx.post(f"{url}/api/login", json={**signing_in, "password": "x" * 12}), 401, "wrong_credentials")
    assert httpx.post(f"{url}/api/register/resend", json={"email": email}).status_code == 204

    with operator(suite_by_mail) as reader:
        token = mailed_token(reader, email, "/verify-email")
    made = httpx.post(f"{url}/api/register/verify", json={"token": token})
    assert made.status_code == 201, made.text
    assert made.json()["user"]["email"] == email
    problem(httpx.post(f"{url}/api/register/verify", json={"token": token}), 404, "verification_link_invalid")

    session = httpx.post(f"{url}/api/login", json=signing_in)
    assert session.status_code == 200
    headers = {"Authorization": f"Bearer {session.json()['token']}"}
    balance = httpx.get(f"{url}/api/billing/balance", headers=headers).json()
    assert balance["available"] == "10.00"
    events = httpx.get(f"{url}/api/events", headers=headers).text
    assert "mail.requested" not in events
    assert token not in events


def test_the_owner_of_a_taken_address_is_told(suite_by_mail: Suite) -> None:
    httpx.post(f"{suite_by_mail.url}/api/register", json=sent(suite_by_mail.credentials["email"]))
    headers = {"Authorization": f"Bearer {suite_by_mail.api_key}"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    subjects: list[str] = []
    while "Your address is registered already" not in subjects:
        assert time.monotonic() < deadline
        mails = httpx.get(f"{suite_by_mail.url}/api/admin/mail", headers=headers).json()["data"]
        subjects = [mail["subject"] for mail in mails]
        time.sleep(0.1)

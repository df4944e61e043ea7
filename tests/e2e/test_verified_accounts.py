"""Accounts of a suite that verifies addresses: by a mailed link, or by a real OpenID provider beside it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from local.runner.suite import Suite
from tests import openid_provider
from tests.openid_provider import approve, knows
from tests.patience import PATIENCE_SECONDS

from .conftest import PASSWORD, problem
from .mailbox import mailed_token


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with openid_provider.running() as url:
        yield url


@pytest.fixture(scope="module")
def verifying_suite(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Its first organization is the one of `make up`, registered before addresses were verified."""
    folder = tmp_path_factory.mktemp("verifying")
    with Suite(folder, environment={"LIMITS": "bench"}):
        pass
    provider = {"OPENID_ISSUER": issuer, "OPENID_CLIENT_ID": "echosenseix", "OPENID_CLIENT_SECRET": "a secret"}
    allowed = {"EMAIL_VERIFICATION": "link", "OUTBOUND_ALLOW": urlsplit(issuer).netloc}
    with Suite(folder, environment={"LIMITS": "bench", **provider, **allowed}) as running:
        yield running


def browser(suite: Suite) -> httpx.Client:
    return httpx.Client(base_url=suite.url, headers={"Origin": suite.url}, timeout=30)


def begin(page: httpx.Client) -> str:
    answer = page.post("/api/login/openid")
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/api/login/openid" in cookie
    url: str = answer.json()["authorizationUrl"]
    return url


def test_a_browser_signs_in_at_the_provider_and_works_with_its_session(verifying_suite: Suite, issuer: str) -> None:
    subject, email = secrets.token_hex(8), verifying_suite.credentials["email"]
    knows(issuer, subject, email)
    with browser(verifying_suite) as page:
        told = approve(begin(page), subject, f"{verifying_suite.url}/openid")
        landed = page.get("/openid", params={**told, "iss": issuer, "session_state": "1"})
        assert landed.status_code == 303, landed.text
        assert "no-store" in landed.headers["cache-control"]
        # The answer stands in the fragment, for the console alone.
        assert landed.headers["location"] == f"/app#/openid?{urlencode({'code': told['code'], 'state': told['state']})}"
        signed_in = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
        assert signed_in.status_code == 200, signed_in.text
        assert page.get("/api/auth/user").json()["email"] == email
        again = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
        problem(again, 401, "openid_refused")


def test_the_answer_of_a_provider_is_worth_nothing_in_another_browser(verifying_suite: Suite, issuer: str) -> None:
    subject = secrets.token_hex(8)
    knows(issuer, subject, verifying_suite.credentials["email"])
    with (
        browser(verifying_suite) as mine,
        browser(verifying_suite) as other,
        browser(verifying_suite) as bare,
    ):
        told = approve(begin(mine), subject, f"{verifying_suite.url}/openid")
        begin(other)
        for page in (other, bare):
            answer = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
            problem(answer, 401, "openid_refused")
            assert not page.cookies.get("echosenseix_session")


def test_a_person_without_an_account_is_told_so(verifying_suite: Suite, issuer: str) -> None:
    subject = secrets.token_hex(8)
    knows(issuer, subject, f"{subject}@example.com")
    with browser(verifying_suite) as page:
        told = approve(begin(page), subject, f"{verifying_suite.url}/openid")
        answer = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
        problem(answer, 403, "account_unknown")


def sent(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "organizationName": "Engines"}


def operator(suite: Suite) -> httpx.Client:
    return httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=30)


def test_an_account_begins_with_its_link(verifying_suite: Suite) -> None:
    url, email = verifying_suite.url, f"{secrets.token_hex(6)}@example.com"
    first = httpx.post(f"{url}/api/register", json=sent(email))
    taken = httpx.post(f"{url}/api/register", json=sent(verifying_suite.credentials["email"]))
    assert [first.status_code, taken.status_code] == [202, 202]
    assert first.json() == taken.json() == {"user": None, "organization": None}
    signing_in = {"email": email, "password": PASSWORD}
    problem(httpx.post(f"{url}/api/login", json=signing_in), 403, "email_not_verified")
    problem(httpx.post(f"{url}/api/login", json={**signing_in, "password": "x" * 12}), 401, "wrong_credentials")
    assert httpx.post(f"{url}/api/register/resend", json={"email": email}).status_code == 204

    with operator(verifying_suite) as reader:
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


def test_the_owner_of_a_taken_address_is_told(verifying_suite: Suite) -> None:
    httpx.post(f"{verifying_suite.url}/api/register", json=sent(verifying_suite.credentials["email"]))
    headers = {"Authorization": f"Bearer {verifying_suite.api_key}"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    subjects: list[str] = []
    while "Your address is registered already" not in subjects:
        assert time.monotonic() < deadline
        mails = httpx.get(f"{verifying_suite.url}/api/admin/mail", headers=headers).json()["data"]
        subjects = [mail["subject"] for mail in mails]
        time.sleep(0.1)

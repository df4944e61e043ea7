"""Sign-in with OpenID Connect over HTTP: a browser, the suite, and a real provider that runs as a process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from local.runner.suite import Suite
from tests import openid_provider
from tests.openid_provider import approve, knows

from .conftest import problem


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with openid_provider.running() as url:
        yield url


@pytest.fixture(scope="module")
def suite_with_provider(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Its first organization is the one of `make up`, registered before addresses were verified."""
    folder = tmp_path_factory.mktemp("openid")
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


def test_a_browser_signs_in_at_the_provider_and_works_with_its_session(suite_with_provider: Suite, issuer: str) -> None:
    subject, email = secrets.token_hex(8), suite_with_provider.credentials["email"]
    knows(issuer, subject, email)
    with browser(suite_with_provider) as page:
        told = approve(begin(page), subject, f"{suite_with_provider.url}/openid")
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


def test_the_answer_of_a_provider_is_worth_nothing_in_another_browser(suite_with_provider: Suite, issuer: str) -> None:
    subject = secrets.token_hex(8)
    knows(issuer, subject, suite_with_provider.credentials["email"])
    with (
        browser(suite_with_provider) as mine,
        browser(suite_with_provider) as other,
        browser(suite_with_provider) as bare,
    ):
        told = approve(begin(mine), subject, f"{suite_with_provider.url}/openid")
        begin(other)
        for page in (other, bare):
            answer = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
            problem(answer, 401, "openid_refused")
            assert not page.cookies.get("echosenseix_session")


def test_a_person_without_an_account_is_told_so(suite_with_provider: Suite, issuer: str) -> None:
    subject = secrets.token_hex(8)
    knows(issuer, subject, f"{subject}@example.com")
    with browser(suite_with_provider) as page:
        told = approve(begin(page), subject, f"{suite_with_provider.url}/openid")
        answer = page.post("/api/login/openid/complete", json={"code": told["code"], "state": told["state"]})
        problem(answer, 403, "account_unknown")

"""Customers of the running suite: each has an organization of its own, so that no test sees another's things."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest

from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from .mailbox import mailed_token

numbers = itertools.count(1)
PASSWORD = "correct horse battery staple"
Found = TypeVar("Found")


@dataclass
class Customer:
    """An organization with its owner, signed in, and a way to ask as anyone."""

    url: str
    email: str
    user: dict[str, Any]
    organization: dict[str, Any]
    token: str
    http: httpx.Client
    opened: dict[str | None, httpx.Client] = field(default_factory=dict)

    def bearing(self, credential: str | None) -> httpx.Client:
        """The same suite as someone else sees it; None for a stranger."""
        if credential not in self.opened:
            headers = {"Authorization": f"Bearer {credential}"} if credential else {}
            self.opened[credential] = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        # A cookie from an earlier login would speak for someone.
        self.opened[credential].cookies.clear()
        return self.opened[credential]

    def key(self, *scopes: str, **sent: Any) -> dict[str, Any]:
        """A fresh API key, with its secret."""
        answer = self.http.post("/api/api-keys", json={"name": "test", "scopes": list(scopes), **sent})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def agent(self, **content: Any) -> dict[str, Any]:
        answer = self.http.post("/api/agents", json={"name": "An agent", **content})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def join(owner: Customer, operator: httpx.Client, role: str) -> Customer:
    """A new user of the owner's organization, by a mailed invitation, signed in."""
    email = f"user-{next(numbers)}-{secrets.token_hex(4)}@example.com"
    invited = owner.http.post("/api/users/invitations", json={"email": email, "role": role})
    assert invited.status_code == 201, invited.text
    token = mailed_token(operator, email, "/accept-invitation")
    joined = owner.bearing(None).post("/api/invitations/accept", json={"token": token, "password": PASSWORD})
    assert joined.status_code == 201, joined.text
    session = owner.bearing(None).post("/api/login", json={"email": email, "password": PASSWORD}).json()["token"]
    body = joined.json()
    http, opened = owner.bearing(session), owner.opened
    return Customer(owner.url, email, body["user"], body["organization"], session, http, opened)


@pytest.fixture(scope="session")
def operator(suite: Suite) -> Iterator[httpx.Client]:
    """The platform's own organization, which reads mails that belong to no organization."""
    headers = {"Authorization": f"Bearer {suite.api_key}"}
    with httpx.Client(base_url=suite.url, headers=headers, timeout=30) as http:
        yield http


@contextmanager
def registering(url: str) -> Iterator[Callable[[], Customer]]:
    """A function that registers an organization at this suite and signs its owner in."""
    made: list[Customer] = []

    def register() -> Customer:
        number = next(numbers)
        email = f"owner-{number}-{secrets.token_hex(4)}@example.com"
        http = httpx.Client(base_url=url, timeout=30)
        sent = {
            "email": email,
            "password": PASSWORD,
            "firstName": "Ada",
            "lastName": "Lovelace",
            "organizationName": f"Organization {number}",
        }
        registered = http.post("/api/register", json=sent)
        assert registered.status_code == 201, registered.text
        logged_in = http.post("/api/login", json={"email": email, "password": PASSWORD})
        assert logged_in.status_code == 200, logged_in.text
        http.cookies.clear()
        http.headers["Authorization"] = "Bearer " + logged_in.json()["token"]
        body = registered.json()
        made.append(Customer(url, email, body["user"], body["organization"], logged_in.json()["token"], http))
        return made[-1]

    yield register
    for one in made:
        for client in (one.http, *one.opened.values()):
            client.close()


@pytest.fixture(scope="session")
def customer(suite: Suite) -> Iterator[Callable[[], Customer]]:
    """`customer()` registers an organization and signs its owner in."""
    with registering(suite.url) as register:
        yield register


@pytest.fixture(scope="module")
def ada(customer: Callable[[], Customer]) -> Customer:
    """One customer for a whole module."""
    return customer()


@pytest.fixture(scope="module")
def bob(customer: Callable[[], Customer]) -> Customer:
    """A customer of another organization."""
    return customer()


def until(look: Callable[[], Found], settled: Callable[[Found], object] = bool, *, pause: float = 0.1) -> Found:
    """What `look` finds, once it is settled: something, unless told otherwise."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not settled(found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(pause)
    return found


def until_refused(ask: Callable[[], httpx.Response], allowed: int) -> None:
    """Ask until the answer has another status."""
    until(ask, lambda answer: answer.status_code != allowed, pause=0.02)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "code", "requestId", "errors"}
    assert (body["status"], body["code"]) == (status, code), body
    assert body["requestId"] == answer.headers["x-request-id"]
    assert body["instance"] == answer.request.url.path
    return body

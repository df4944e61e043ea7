"""A person's own account on the running suite: a new password, a new address, the second factor, its sessions."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx
import pyotp

from .conftest import PASSWORD, Customer, problem, until_refused
from .mailbox import mailed_token

NEW = "the staple of another horse"


def sign_in(person: Customer, password: str = PASSWORD, email: str = "") -> httpx.Response:
    return person.bearing(None).post("/api/login", json={"email": email or person.email, "password": password})


def test_a_forgotten_password_is_set_by_mail_and_every_session_ends(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    person = customer()
    stranger = person.bearing(None)
    answers = [
        stranger.post("/api/auth/password/forgot", json={"email": email})
        for email in (person.email, f"{secrets.token_hex(6)}@example.com")
    ]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b""), (204, b"")]
    token = mailed_token(operator, person.email, "/reset-password")
    # Who administers the organization must not read a link that opens the accounts of its users.
    for path in ("/api/admin/mail", "/api/events", "/api/jobs"):
        assert token not in person.http.get(path).text
    sent = {"token": token, "password": NEW}
    assert stranger.post("/api/auth/password/reset", json=sent).status_code == 204
    problem(stranger.post("/api/auth/password/reset", json=sent), 404, "account_link_invalid")
    until_refused(lambda: person.http.get("/api/auth/user"), 200)
    problem(sign_in(person), 401, "wrong_credentials")
    assert sign_in(person, NEW).status_code == 200


def test_a_password_changes_with_the_current_one_and_other_devices_sign_in_again(
    customer: Callable[[], Customer],
) -> None:
    person = customer()
    other = person.bearing(sign_in(person).json()["token"])
    sent = {"currentPassword": "not the password", "newPassword": NEW}
    problem(person.http.post("/api/auth/password", json=sent), 403, "wrong_password")
    assert person.http.post("/api/auth/password", json={**sent, "currentPassword": PASSWORD}).status_code == 204
    until_refused(lambda: other.get("/api/auth/user"), 200)
    assert person.http.get("/api/auth/user").status_code == 200
    assert sign_in(person, NEW).status_code == 200


def test_an_address_changes_by_the_link_in_its_mailbox(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    person, new = customer(), f"{secrets.token_hex(6)}@example.com"
    asked = person.http.post("/api/auth/email", json={"email": new, "password": PASSWORD})
    assert asked.status_code == 204, asked.text
    assert person.http.get("/api/auth/user").json()["email"] == person.email
    token = mailed_token(operator, new, "/confirm-email")
    # Of a mistyped address, a stranger holds the link.
    problem(person.bearing(None).post("/api/auth/email/confirm", json={"token": token}), 401, "unauthenticated")
    assert person.http.post("/api/auth/email/confirm", json={"token": token}).status_code == 204
    assert person.http.get("/api/auth/user").json()["email"] == new
    problem(sign_in(person), 401, "wrong_credentials")
    assert sign_in(person, email=new).status_code == 200


def test_a_second_factor_is_turned_on_asked_for_and_turned_off(customer: Callable[[], Customer]) -> None:
    person = customer()
    begun = person.http.post("/api/auth/second-factor", json={"password": PASSWORD})
    assert begun.headers["cache-control"] == "no-store"
    phone = pyotp.TOTP(begun.json()["secret"])
    problem(person.http.post("/api/auth/second-factor/confirm", json={"code": "12"}), 403, "wrong_code")
    done = person.http.post("/api/auth/second-factor/confirm", json={"code": phone.now()})
    assert done.status_code == 200, done.text
    codes = done.json()["recoveryCodes"]
    first = sign_in(person)
    assert first.status_code == 202
    assert "set-cookie" not in first.headers
    assert first.json() == {"token": None, "expiresAt": None, "user": None, "challenge": first.json()["challenge"]}
    step = {"challenge": first.json()["challenge"], "code": codes[0]}
    second = person.bearing(None).post("/api/login/second-factor", json=step)
    assert second.status_code == 200, second.text
    assert "HttpOnly" in second.headers["set-cookie"]
    assert person.bearing(second.json()["token"]).get("/api/auth/user").json()["id"] == person.user["id"]
    problem(person.bearing(None).post("/api/login/second-factor", json=step), 401, "challenge_invalid")
    state = person.http.get("/api/auth/second-factor").json()
    assert (state["enabled"], state["recoveryCodesLeft"]) == (True, 9)
    assert person.http.post("/api/auth/second-factor/disable", json={"code": codes[1]}).status_code == 204
    assert sign_in(person).status_code == 200


def test_sessions_show_device_and_network_and_end_all_at_once(customer: Callable[[], Customer]) -> None:
    person = customer()
    others = [person.bearing(sign_in(person).json()["token"]) for _ in range(2)]
    rows = person.http.get("/api/auth/sessions").json()["data"]
    assert {row["device"] for row in rows} == {f"python-httpx {'.'.join(httpx.__version__.split('.')[:2])}"}
    assert {row["network"] for row in rows} == {"127.0.0.0/24"}
    assert person.http.delete("/api/auth/sessions").status_code == 204
    for other in others:
        until_refused(lambda other=other: other.get("/api/auth/user"), 200)  # type: ignore[misc]
    assert [row["current"] for row in person.http.get("/api/auth/sessions").json()["data"]] == [True]


def test_a_session_gets_a_new_token_and_its_cookie(customer: Callable[[], Customer]) -> None:
    person = customer()
    answer = person.http.post("/api/auth/sessions/rotate")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["set-cookie"].startswith("echosenseix_session=" + answer.json()["token"])
    assert answer.json()["token"] != person.token
    fresh = person.bearing(answer.json()["token"])
    assert fresh.get("/api/auth/user").status_code == 200
    # Requests that are on their way still arrive.
    assert person.http.get("/api/auth/user").status_code == 200
    problem(person.bearing(person.key("*")["secret"]).post("/api/auth/sessions/rotate"), 409, "session_required")


def test_how_people_sign_in_is_public_and_names_no_provider_without_one(customer: Callable[[], Customer]) -> None:
    answer = customer().bearing(None).get("/api/login/methods")
    assert answer.json() == {"password": True, "openid": False, "openidIssuer": None}


def test_an_openid_answer_moves_from_the_query_into_the_fragment(customer: Callable[[], Customer]) -> None:
    answer = customer().bearing(None).get("/openid?code=a%26b&state=c", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/app#/openid?code=a%26b&state=c"
    assert answer.headers["cache-control"] == "no-store"


def test_the_current_user_names_what_the_credential_may_do(customer: Callable[[], Customer]) -> None:
    owner = customer()
    assert owner.http.get("/api/auth/user").json()["scopes"] == ["*"]


def test_a_refusal_of_the_openid_provider_reaches_the_console(customer: Callable[[], Customer]) -> None:
    told = "/openid?error=access_denied&error_description=No&iss=https://provider.example"
    answer = customer().bearing(None).get(told, follow_redirects=False)
    assert answer.headers["location"] == "/app#/openid?error=access_denied&error_description=No"

"""Connection tokens: what is accepted is what the service issued, unchanged and in time."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from libs.clock import utcnow
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenExpired, TokenInvalid

SECRET = b"k" * 32
TOKENS = ConnectionTokens(["k1=" + base64.b64encode(SECRET).decode()])
GRANT = Grant(
    "org_1",
    "usr_1",
    "ses_1",
    "key_1",
    frozenset({"calls:read", "agents:read"}),
    # Made when the tests are collected: they may run much later.
    utcnow().replace(microsecond=0) + datetime.timedelta(days=1),
    home_org_id="org_2",
)
CLAIMS: dict[str, Any] = {
    "sub": "usr_1",
    "aud": "realtime",
    "exp": int(GRANT.expires_at.timestamp()),
    "iat": utcnow().timestamp(),
    "org": "org_1",
    "sid": "ses_1",
    "key": "key_1",
    "scopes": ["agents:read", "calls:read"],
    "home": "org_2",
}


def signed(claims: object, *, key: bytes = SECRET, alg: str = "HS256", kid: str = "k1") -> str:
    return jwt.encode(claims, key, algorithm=alg, headers={"kid": kid})  # type: ignore[arg-type]


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_a_token_is_a_json_web_token_that_others_can_check() -> None:
    token = TOKENS.issue(GRANT)
    assert TOKENS.verify(token) == GRANT
    assert jwt.decode(token, SECRET, algorithms=["HS256"], audience="realtime")["org"] == "org_1"
    assert TOKENS.verify(signed(CLAIMS)) == GRANT


@pytest.mark.parametrize("age", [0, 1, 3600])
def test_a_token_ends_at_its_time(age: int) -> None:
    with pytest.raises(TokenExpired):
        TOKENS.verify(signed({**CLAIMS, "exp": int(utcnow().timestamp()) - age}))


@pytest.mark.parametrize("name", ["sub", "aud", "exp", "iat", "org", "sid", "key", "scopes"])
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    with pytest.raises(TokenInvalid):
        TOKENS.verify(signed(without(name)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", "identity"),
        ("aud", ["realtime"]),
        ("exp", "9999999999"),
        ("exp", 10**30),
        ("exp", 10**14),
        ("iat", None),
        ("scopes", "agents:read"),
        ("scopes", [1]),
        ("org", 1),
        ("home", None),
    ],
)
def test_a_signed_token_with_a_claim_of_another_shape_is_refused(name: str, value: object) -> None:
    payload = packed({"alg": "HS256", "kid": "k1", "typ": "JWT"}) + "." + packed({**CLAIMS, name: value})
    mac = jwt.get_algorithm_by_name("HS256").sign(payload.encode(), SECRET)
    with pytest.raises(TokenInvalid):
        TOKENS.verify(payload + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode())


FORGED: dict[str, Callable[[], str]] = {
    "no token": lambda: "",
    "one part": lambda: "abc",
    "two parts": lambda: TOKENS.issue(GRANT).rpartition(".")[0],
    "four parts": lambda: "e30." + TOKENS.issue(GRANT),
    "another key": lambda: signed(CLAIMS, key=b"x" * 32),
    "an unknown key": lambda: signed(CLAIMS, kid="k2"),
    "another algorithm": lambda: signed(CLAIMS, key=SECRET * 2, alg="HS512"),
    "an algorithm that it does not use": lambda: (
        packed({"alg": "HS512", "kid": "k1"}) + "." + TOKENS.issue(GRANT).partition(".")[2]
    ),
    "no algorithm": lambda: packed({"alg": "none", "kid": "k1"}) + "." + packed(CLAIMS) + ".",
    "no key": lambda: packed({"alg": "HS256"}) + "." + TOKENS.issue(GRANT).partition(".")[2],
    "no signature": lambda: TOKENS.issue(GRANT).rpartition(".")[0] + ".",
    "other claims": lambda: ".".join((
        TOKENS.issue(GRANT).split(".")[0], packed({**CLAIMS, "org": "org_9"}), TOKENS.issue(GRANT).split(".")[2],
    )),
    "a letter beside": lambda: TOKENS.issue(GRANT) + "!",
    "a space before": lambda: " " + TOKENS.issue(GRANT),
    "letters of no token": lambda: "ü.ü.ü",
    "half a surrogate pair": lambda: TOKENS.issue(GRANT) + "\ud800",
    "a header that is none": lambda: "AAAA." + TOKENS.issue(GRANT).partition(".")[2],
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    with pytest.raises(TokenInvalid):
        TOKENS.verify(FORGED[name]())


def test_every_bit_of_a_token_counts() -> None:
    token = TOKENS.issue(GRANT)
    # The last letter holds two bits that no byte has, so its neighbors decode to the same signature.
    for place in range(len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises((TokenInvalid, TokenExpired)):
            TOKENS.verify(changed)


def test_a_replaced_key_no_longer_opens() -> None:
    tokens = ConnectionTokens(["k1=" + base64.b64encode(SECRET).decode()])
    token = tokens.issue(GRANT)
    tokens.replace(["k2=" + base64.b64encode(b"n" * 32).decode(), "k1=" + base64.b64encode(SECRET).decode()])
    assert tokens.verify(token) == GRANT
    tokens.replace(["k2=" + base64.b64encode(b"n" * 32).decode()])
    with pytest.raises(TokenInvalid):
        tokens.verify(token)


def test_connections_of_one_role_share_their_scopes() -> None:
    one, other = (TOKENS.verify(TOKENS.issue(GRANT)).scopes for _ in range(2))
    assert one is other

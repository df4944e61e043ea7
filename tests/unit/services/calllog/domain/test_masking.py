"""Tokens in providers' deliveries are masked; everything else stays as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.calllog.domain.masking import MASK, masked


def clean(document: Any) -> Any:
    return json.loads(masked(json.dumps(document).encode()))


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "xi-api-key", "Authorization", "access_token", "userToken", "secret__db", "password",
     "credentials", "Set-Cookie", "jwt", "PRIVATE_KEY", "privateKey", "x-signature-v2",
     "Proxy-Authorization".replace("z", "s")],
)  # fmt: skip
def test_a_field_with_a_secrets_name_is_masked_at_any_depth(name: str) -> None:
    found = clean({"data": [{"headers": {name: "v-123456"}}, {name: {"inner": ["v-123456"]}}]})
    assert "v-123456" not in json.dumps(found)
    assert found["data"][0]["headers"][name] == MASK


def test_json_inside_text_is_read_too() -> None:
    found = clean({"params_as_json": json.dumps({"token": "hunter2", "day": "thursday"})})
    assert json.loads(found["params_as_json"]) == {"token": MASK, "day": "thursday"}


def test_escapes_and_text_within_text_hide_no_name() -> None:
    inner = json.dumps({"x": json.dumps({"accessToken": "v-123456"})})
    assert b"v-123456" not in masked(json.dumps({"a": inner}).encode())
    assert b"v-123456" not in masked(b'{"access\\u0054oken": "v-123456"}')


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "sk_0123456789abcdef0123",
        "whsec_0123456789abcdef0123",
        "wsec_0123456789abcdef0123",
        "rk_0123456789abcdef0123",
        "esx_0123456789abcdef0123",
    ],
)
def test_a_text_with_a_tokens_shape_is_masked(text: str) -> None:
    assert clean({"message": f"It is {text}, please."}) == {"message": f"It is {MASK}, please."}


@pytest.mark.parametrize(
    "document",
    [
        {
            "usage": {"tokens": 12, "input_tokens": 7, "token": 5},
            "message": "My password is a secret.",
        },
        {"message": "{no json", "text": "[also none"},
        {"secret": "", "token": None, "signature": True},
    ],
)
def test_counts_and_words_stay(document: Any) -> None:
    body = json.dumps(document).encode()
    assert masked(body) == body


def test_a_body_without_a_secret_keeps_its_bytes() -> None:
    body = b'{ "type" : "x",  "data":{"n":1.50} }'
    assert masked(body) is body


def test_what_is_nested_too_deeply_is_masked_as_a_whole() -> None:
    document: Any = {"api_key": "v-123456"}
    for _ in range(200):
        document = {"in": document}
    assert b"v-123456" not in masked(json.dumps(document).encode())

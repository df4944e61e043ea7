import pytest

from libs.crypto import random_token
from libs.telemetry import redaction

CANARY = "canary-Zq7x9Lm2Kp4R"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_known_pattern", None)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization=Basic {CANARY}",
        f"postgres://agent_app:{CANARY}@127.0.0.1:5432/x",
        f"redis://:{CANARY}@127.0.0.1/0",
        f"login with password={CANARY} failed",
        f'{{"password": "{CANARY}", "email": "a@example.com"}}',
        f"{{'apiKey': '{CANARY}'}}",
        f"x-api-key: {CANARY}",
        f"Cookie: session={CANARY}",
        f"client_secret={CANARY}&x=1",
        f"whsec_{CANARY}0123456789",
        f"sk_{CANARY}0123456789",
        f"esx_{CANARY}0123456789",
        f"eyJhbGciOiJFZERTQSJ9.{CANARY}abc.{CANARY}",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
    ],
)
def test_a_secret_is_masked_by_the_shape_around_it(text: str) -> None:
    masked = redaction.text(text)
    assert CANARY not in masked
    assert redaction.MASK in masked


def test_a_bare_token_of_ours_is_masked() -> None:
    assert redaction.text(f"who is {random_token()}?") == "who is [redacted]?"


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/agents/agt_01m84nrx0tea8vdkkwvmw5g1w0 404",
        "connected to nats://127.0.0.1:4222",
        "key_01m84nrx0tea8vdkkwvmw5g1w0 was revoked",
        "pool: 3 of 10 in use, waited 0.2 s",
        "https://example.com/a?page=2&limit=50",
    ],
)
def test_what_operators_need_stays(text: str) -> None:
    assert redaction.text(text) == text


@pytest.mark.parametrize(
    "name", ["password", "newPassword", "api_key", "X-API-Key", "access_token", "token", "clientSecret", "Set-Cookie"]
)
def test_a_secret_is_masked_by_the_name_of_its_field(name: str) -> None:
    assert redaction.value(name, CANARY) == redaction.MASK
    assert redaction.value("request", {"inner": [{name: CANARY}]}) == {"inner": [{name: redaction.MASK}]}


@pytest.mark.parametrize("name", ["tokens", "apiKeyId", "idempotencyKeyReused", "author", "path"])
def test_other_names_keep_their_content(name: str) -> None:
    assert name == "tokens" or redaction.value(name, "plain") == "plain"


def test_values_of_the_settings_are_masked_wherever_they_stand() -> None:
    redaction.register(
        [
            f"postgres://agent_app:{CANARY}%2F1@127.0.0.1/x",
            "gateway=c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHM=",
            "plain-app-password",
            "short",
        ]
    )
    text = f"a {CANARY}/1 b {CANARY}%2F1 c c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHM= d plain-app-password e short"
    masked = redaction.text(text)
    assert masked == "a [redacted] b [redacted] c [redacted] d [redacted] e short"


def test_objects_are_masked_through_their_text() -> None:
    assert CANARY not in redaction.value("error", ValueError(f"password={CANARY}"))
    assert redaction.value("count", 3) == 3
    assert redaction.value("nothing", None) is None

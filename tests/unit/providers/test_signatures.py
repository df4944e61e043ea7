"""Signatures against the providers' own SDKs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from retell.lib import webhook_auth
from vapi.types import BearerAuthenticationPlan, HmacAuthenticationPlan

from providers.elevenlabs import webhook as elevenlabs
from providers.interface.credentials import Credentials, valid_at
from providers.registry import PROVIDERS
from providers.retell import webhook as retell

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = '{"type": "post_call_transcription", "text": "Grüße"}'.encode()
CREDENTIALS = Credentials("key-0123456789", "wsec_1")


def proves(
    provider: str, headers: dict[str, str], body: bytes, now: datetime, credentials: Credentials = CREDENTIALS
) -> bool:
    """Whether the delivery is accepted, its body coming in pieces of seven bytes."""
    webhook = PROVIDERS[provider].webhook
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    return webhook.verify(valid_at(webhook.secrets(credentials), now), headers, pieces, now)


def signed(at: datetime = NOW, body: bytes = BODY, secret: str = "wsec_1") -> str:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v0={digest}"


def verified(header: str, body: bytes = BODY, now: datetime = NOW) -> bool:
    return proves("elevenlabs", {elevenlabs.SIGNATURE: header}, body, now)


def test_what_the_official_sdk_accepts_is_accepted() -> None:
    from elevenlabs import ElevenLabs

    now = datetime.now(UTC)
    header = signed(now)
    assert ElevenLabs(api_key="x").webhooks.construct_event(BODY.decode(), header, "wsec_1")["text"] == "Grüße"
    assert verified(header, now=now) is True


@pytest.mark.parametrize("minutes", [-30, 0, 30])
def test_half_an_hour_both_ways_is_accepted(minutes: int) -> None:
    assert verified(signed(NOW + timedelta(minutes=minutes))) is True


@pytest.mark.parametrize("seconds", [-1801, 1801])
def test_beyond_half_an_hour_is_refused(seconds: int) -> None:
    assert verified(signed(NOW + timedelta(seconds=seconds))) is False


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v0=" + "0" * 64,
        signed(secret="other"),
        signed(body=BODY + b" "),
        signed().replace("v0=", "v1="),
        signed().upper(),
        signed() + ",t=1",
        signed()[:-1],
        signed().replace("t=", "t=-"),
        "t=99999999999999999999,v0=" + "0" * 64,
        "t=٣,v0=" + "0" * 64,
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    assert verified(header) is False


def test_every_flipped_bit_of_the_body_is_noticed() -> None:
    header = signed()
    for position in range(len(BODY)):
        flipped = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert verified(header, flipped) is False


def test_one_fitting_digest_of_several_is_enough() -> None:
    stamp, digest = signed().split(",")
    assert verified(f"{stamp}, v0={'0' * 64}, {digest}") is True


def test_the_secret_before_a_rotation_is_honored_for_a_while() -> None:
    rotated = Credentials("k", "wsec_2", "", "wsec_1", NOW + timedelta(minutes=10))
    assert proves("elevenlabs", {elevenlabs.SIGNATURE: signed()}, BODY, NOW, rotated) is True
    assert proves("elevenlabs", {elevenlabs.SIGNATURE: signed(secret="wsec_2")}, BODY, NOW, rotated) is True
    late = NOW + timedelta(minutes=11)
    assert proves("elevenlabs", {elevenlabs.SIGNATURE: signed(late)}, BODY, late, rotated) is False


def test_without_a_secret_nothing_proves_the_sender() -> None:
    assert PROVIDERS["elevenlabs"].webhook.secrets(Credentials("key")) == ()
    assert PROVIDERS["retell"].webhook.secrets(Credentials()) == ()
    assert proves("elevenlabs", {elevenlabs.SIGNATURE: signed(secret="")}, BODY, NOW, Credentials("key")) is False


def test_secrets_are_not_shown_by_what_holds_them() -> None:
    assert "wsec_1" not in repr(PROVIDERS["elevenlabs"].webhook.secrets(CREDENTIALS))


def test_what_the_official_retell_sdk_signs_is_accepted() -> None:
    stamp = int(NOW.timestamp() * 1000)
    header = webhook_auth.symmetric["sign"](BODY.decode(), "key-0123456789", stamp)

    def verified(header: str, body: bytes = BODY, now: datetime = NOW) -> bool:
        return proves("retell", {retell.SIGNATURE: header}, body, now)

    assert verified(header) is True
    assert verified(header, BODY + b" ") is False
    assert verified(header, now=NOW + timedelta(minutes=5, seconds=1)) is False
    assert verified(header, now=NOW - timedelta(minutes=5, seconds=1)) is False
    assert verified(header.replace("d=", "d=0")) is False


def test_without_its_headers_no_delivery_is_accepted() -> None:
    """Of every provider in the registry, and whatever other headers say."""
    for provider in PROVIDERS.values():
        for headers in ({}, dict.fromkeys(provider.webhook.proof_headers, ""), {"x-other": "wsec_1"}):
            assert proves(provider.name, headers, BODY, NOW) is False, provider.name


def shown(**headers: str) -> dict[str, str]:
    """As the gateway passes them; underscores stand for hyphens."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def digest(*parts: bytes, secret: str = "wsec_1", algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), b"".join(parts), algorithm).hexdigest()


def proven(headers: dict[str, str], body: bytes = BODY, credentials: Credentials = CREDENTIALS) -> bool:
    return proves("vapi", headers, body, NOW, credentials)


STAMP = str(int(NOW.timestamp()))
LATE = str(int(NOW.timestamp()) - 301)
EARLY = str(int(NOW.timestamp()) + 301)


def test_vapis_default_plan_is_what_is_checked() -> None:
    """The SDK says what a credential without further settings does."""
    fields = HmacAuthenticationPlan.model_fields
    assert "Defaults to 'x-signature'" in str(fields["signature_header"].description)
    assert "Defaults to 'x-timestamp'" in str(fields["timestamp_header"].description)
    assert "Defaults to '{timestamp}.{body}'" in str(fields["payload_format"].description)
    assert "Defaults to 'hex'" in str(fields["signature_encoding"].description)
    assert "Defaults to 'Authorization'" in str(BearerAuthenticationPlan.model_fields["header_name"].description)


@pytest.mark.parametrize(
    "header",
    [
        shown(authorization="Bearer wsec_1"),
        shown(authorization="bearer wsec_1"),
        shown(x_vapi_secret="wsec_1"),
        shown(x_vapi_signature=digest(BODY)),
        shown(x_vapi_signature=f"sha256={digest(BODY).upper()}"),
        shown(x_signature=digest(STAMP.encode(), b".", BODY), x_timestamp=STAMP),
        shown(x_signature=digest(f"{STAMP}678.".encode(), BODY), x_timestamp=f"{STAMP}678"),
        shown(authorization="Bearer of-a-proxy", x_vapi_signature=digest(BODY)),
    ],
)
def test_each_way_of_vapi_is_accepted(header: dict[str, str]) -> None:
    assert proven(header) is True


@pytest.mark.parametrize(
    "header",
    [
        {},
        shown(authorization="Bearer "),
        shown(authorization="Bearer wsec_2"),
        shown(authorization="Basic wsec_1"),
        shown(authorization="wsec_1"),
        shown(x_vapi_secret=""),
        shown(x_vapi_secret="wsec_1 "),
        shown(x_vapi_secret="wsec_1, wsec_1"),
        shown(x_other="wsec_1"),
        {"": "wsec_1"},
        {"": digest(BODY)},
        shown(x_vapi_signature="wsec_1"),
        shown(x_vapi_signature=""),
        shown(x_vapi_signature=digest(BODY)[:-1]),
        shown(x_vapi_signature=digest(BODY, secret="wsec_2")),
        shown(x_vapi_signature=digest(BODY, secret="")),
        shown(x_vapi_signature=digest(BODY, b" ")),
        shown(x_vapi_signature=digest(BODY, algorithm="sha1")),
        shown(x_vapi_signature="\u00fc" * 64),
        # A timestamp that came must be in what was signed, and near.
        shown(x_vapi_signature=digest(BODY), x_timestamp=STAMP),
        shown(x_signature=digest(STAMP.encode(), b".", BODY)),
        shown(x_signature=digest(LATE.encode(), b".", BODY), x_timestamp=LATE),
        shown(x_signature=digest(EARLY.encode(), b".", BODY), x_timestamp=EARLY),
        shown(x_signature=digest(b"now.", BODY), x_timestamp="now"),
        shown(x_signature=digest(f"-{STAMP}.".encode(), BODY), x_timestamp=f"-{STAMP}"),
    ],
)
def test_anything_else_is_no_proof_of_vapi(header: dict[str, str]) -> None:
    assert proven(header) is False


def test_every_flipped_bit_of_vapis_body_is_noticed() -> None:
    header = shown(x_vapi_signature=digest(BODY))
    for position in range(len(BODY)):
        flipped = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert proven(header, flipped) is False


def test_vapis_secret_before_a_rotation_and_none_at_all() -> None:
    rotated = Credentials("k", "wsec_2", "", "wsec_1", NOW + timedelta(minutes=10))
    for secret in ("wsec_1", "wsec_2"):
        assert proven(shown(x_vapi_secret=secret), credentials=rotated) is True
        assert proven(shown(x_vapi_signature=digest(BODY, secret=secret)), credentials=rotated) is True
    over = Credentials("k", "wsec_2", "", "wsec_1", NOW)
    assert proven(shown(x_vapi_secret="wsec_1"), credentials=over) is False
    assert proven(shown(x_vapi_secret="key-0123456789"), credentials=Credentials("key-0123456789")) is False
